import TestSupport
import Testing

#if os(Linux)
    /// How long threads of libtorch spin when they wait for each other, as GNU's OpenMP tells it of the program.
    @Suite struct WaitingThreadsTests {
        @Test func threadsSpinForAShortTime() throws {
            #expect(try turns() == "1000")
        }

        @Test func theUsersOwnSettingCounts() throws {
            #expect(try turns(["GOMP_SPINCOUNT": "77"]) == "77")
            #expect(try turns(["OMP_WAIT_POLICY": "passive"]) == "0")
            #expect(try turns(["OMP_WAIT_POLICY": "active"]) == "30000000000")
            #expect(try turns(["OMP_WAIT_POLICY": "active", "GOMP_SPINCOUNT": "5"]) == "5")
        }

        private func turns(_ environment: [String: String] = [:]) throws -> String {
            let shown = ["OMP_DISPLAY_ENV": "VERBOSE"].merging(environment) { $1 }
            let outcome = try Program.run(["--version"], environment: shown)
            #expect(outcome.code == 0 && outcome.output.hasPrefix("langevin "))
            let line = outcome.messages.split(separator: "\n").first { $0.contains("GOMP_SPINCOUNT") }
            return try String(#require(line, "\(outcome.messages)").split(separator: "'")[1])
        }
    }
#endif
