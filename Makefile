# One line a target; what they do is in tools/. Another Python: make book PYTHON=python3.12
python := .venv/bin/python
first := $(or $(shell command -v python3),$(PYTHON),python3)

help:  ## this list
	@sed -n 's/^\([a-z]*\):.*## /  make \1\t/p' Makefile | expand -t 20

book: minimum  ## the book, from the stored outputs, in _build/html
	@$(python) tools/book.py

test: environment  ## lint, types, every test, every notebook, and the built book
	@$(python) tools/test.py

fast: environment  ## lint, types and the quick tests, in less than a minute
	@$(python) tools/test.py --fast

notebooks: environment  ## run all notebooks again, in place (NOTEBOOKS="book/..." for some)
	@$(python) tools/notebooks.py $(NOTEBOOKS)

data: environment  ## make data/maze and data/speech again (FRAMES=...: so many of the maze, elsewhere)
	@$(python) data/maze/make_maze.py $(if $(FRAMES),--frames $(FRAMES))
	@$(if $(FRAMES),,$(python) data/speech/make_speech.py)

bench: environment  ## measure the quantizer, the samplers and the reading against their yardsticks
	@$(python) benchmarks/quantizer.py && $(python) benchmarks/search.py
	@$(python) benchmarks/sampling.py && $(python) benchmarks/wavenet_sampling.py
	@$(python) benchmarks/reading.py

gpu: environment  ## what one GPU shows in eight minutes: checks, ratios, the paper's models; goes on
	@$(python) benchmarks/gpu.py

pdf: environment book  ## the book as one file, _build/vqvae-book.pdf; needs a Chromium or Chrome
	@$(python) tools/pdf.py

serve: book  ## show the book at http://localhost:8000
	@$(python) -m http.server --bind localhost --directory _build/html 8000

environment:  ## make or update .venv; the others do this first
	@$(first) tools/environment.py

minimum:  # .venv with no more than building the book needs
	@$(first) tools/environment.py book

.PHONY: help book test fast notebooks data bench gpu pdf serve environment minimum
