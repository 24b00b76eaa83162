"""What the tests of figures with sound share: browsers that decode late or never, and a visit."""

from pages import trouble_of

# A browser that leaves in what MP3's coder and decoder put before a sound.
LATE = """
const decode = BaseAudioContext.prototype.decodeAudioData;
BaseAudioContext.prototype.decodeAudioData = async function (bytes) {
  const sound = await decode.call(this, bytes);
  const late = new AudioBuffer({length: sound.length + 1105, sampleRate: sound.sampleRate});
  late.copyToChannel(sound.getChannelData(0), 0, 1105);
  return late;
};
"""
DEAF = "BaseAudioContext.prototype.decodeAudioData = async () => { throw new Error('no MP3'); };"
MUTE = "window.AudioContext = window.OfflineAudioContext = undefined;"  # no Web Audio at all


class Visit:
    """A page with sound, and everything that went wrong on it.

    Args:
        chromium: the browser.
        file: the page.
        script: what runs before it.
        options: of the browser's context.
    """

    def __init__(self, chromium, file, script, options):
        self.context = chromium.new_context(**({"offline": True} | options))
        self.context.add_init_script(f"{{{script}}}")
        self.page = self.context.new_page()
        self.trouble = trouble_of(self.page)
        self.page.goto(file.as_uri())
        self.wait("broken" if script.endswith((DEAF, MUTE)) else "ready", "sound")

    def wait(self, value, key):
        said = "text => document.documentElement.dataset.state.includes(text)"
        self.page.wait_for_function(said, arg=f"{key} {value}")

    def told(self):
        """What the figure says of itself, once it has drawn what came of the last act."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        return self.page.locator("html").get_attribute("data-state")

    def do(self, act, *arguments):
        act(*arguments)
        return self.state()

    def at_time(self, clock):
        """Lets the clock of the sound say so many seconds."""
        return self.do(self.page.evaluate, f"window.clock = {clock}")

    def text(self, selector):
        return self.page.locator(selector).inner_text()
