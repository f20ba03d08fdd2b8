import Foundation
import Testing

import Training

#if compiler(>=6.2)
    /// Each in a process of its own, since signals belong to the process.
    @Suite struct InterruptsTests {
        @Test func theFirstSignalRaisesTheFlag() async {
            await #expect(processExitsWith: .success) {
                for interruption in Interruption.allCases {
                    let interrupts = Interrupts()
                    precondition(interrupts.pending == nil)
                    kill(getpid(), interruption.signal)
                    while interrupts.pending == nil { usleep(100) }
                    precondition(interrupts.pending == interruption && interrupts.pending == interruption)
                }
            }
        }

        @Test func theSecondEndsTheProcess() async {
            await #expect(processExitsWith: .signal(SIGTERM)) {
                let interrupts = Interrupts()
                kill(getpid(), SIGINT)
                while interrupts.pending == nil { usleep(100) }
                kill(getpid(), SIGTERM)
                usleep(2_000_000)
            }
        }

        @Test func afterwardsTheSystemAnswers() async {
            await #expect(processExitsWith: .signal(SIGINT)) {
                do { _ = Interrupts() }
                kill(getpid(), SIGINT)
                usleep(2_000_000)
            }
        }

        @Test func codesAreThoseOfShells() {
            #expect(Interruption.keyboard.exitCode == 130 && Interruption.terminate.exitCode == 143)
        }
    }
#endif
