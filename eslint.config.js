// What `npm run lint` asks of vqvae_lite/figures/web. The scripts are set inside pages, one after
// another, so they are no modules, and each file hangs what it makes on VQ, from common.js.
// The stored figures hold these files: a change of their form alone means running notebooks again.
import css from "@eslint/css";
import js from "@eslint/js";
import stylistic from "@stylistic/eslint-plugin";
import globals from "globals";

export default [
  {
    files: ["**/*.js"],
    plugins: { "@stylistic": stylistic },
    languageOptions: {
      sourceType: "script",
      globals: globals.browser,
    },
    rules: {
      ...js.configs.recommended.rules,
      eqeqeq: "error",
      "no-var": "error",
      "prefer-const": "error",
      strict: ["error", "function"],
      "@stylistic/brace-style": ["error", "1tbs", { allowSingleLine: true }],
      "@stylistic/comma-spacing": "error",
      "@stylistic/eol-last": "error",
      "@stylistic/key-spacing": "error",
      "@stylistic/keyword-spacing": "error",
      "@stylistic/no-tabs": "error",
      "@stylistic/no-trailing-spaces": "error",
      "@stylistic/quotes": ["error", "double", { avoidEscape: true }],
      "@stylistic/semi": "error",
      "@stylistic/space-before-blocks": "error",
      "@stylistic/space-infix-ops": "error",
    },
  },
  {
    files: ["**/*.js"],
    ignores: ["**/common.js"],
    languageOptions: { globals: { VQ: "readonly" } },
  },
  {
    files: ["**/common.js"],
    rules: { "no-unused-vars": ["error", { varsIgnorePattern: "^VQ$", caughtErrors: "none" }] },
  },
  {
    files: ["**/*.css"],
    plugins: { css },
    language: "css/css",
    rules: {
      ...css.configs.recommended.rules,
      "css/no-invalid-properties": ["error", { allowUnknownVariables: true }],  // in common.css
      "css/use-baseline": "off",
    },
  },
];
