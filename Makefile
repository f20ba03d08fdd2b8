# make demo    draw emoji from prompts, train on handwritten digits and draw new ones (demo/)
# make test    every test
# make package a package that depends on this one, as `langevin new` lays it out, built and run
# make build   the program, .build/release/langevin
# make bench   ours and diffusers', alternately in one run (needs Python; see Benchmarks/README.md)
# make verify  slow proofs against the oracles over fresh seeds (needs Python; see Tools/oracle/README.md)
# make dist    the program with the Swift runtime inside, and the model beside it, .build/static/release/
# make cuda    what runs on NVIDIA's cards only, beside the programs that were built
# make docs    the documentation of the mathematics, .build/documentation/
# make format  lay out every Swift file; make lint says what is not

.PHONY: setup build dist cuda demo test package bench verify docs format lint clean

setup:
	@scripts/setup.sh

build: setup
	@scripts/swift.sh build --product langevin

dist: setup
	@LANGEVIN_STATIC=1 scripts/swift.sh build --product langevin
	@cp models/emoji.safetensors .build/static/release/

cuda: setup
	@scripts/cuda.sh

demo: build
	@scripts/demo.sh

# The program is built first, because the tests of the commands run it.
test: build
	@scripts/swift.sh test

package: build
	@scripts/package.sh

bench: build
	@scripts/bench.sh

verify: build
	@scripts/verify.sh

docs: setup
	@scripts/docs.sh

format:
	@swift format --in-place --recursive --parallel Package.swift Sources Tests

lint:
	@scripts/lint.sh

clean:
	rm -rf .build .libtorch demo
