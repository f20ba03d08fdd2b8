import Testing

/// What the help shows for defaults.
@Suite struct HelpTests {
    @Test func typesHaveTheirNames() throws {
        for command in ["sample", "generate", "evaluate", "bench"] {
            let help = try Program.run(command, "--help").output
            let words = help.split(whereSeparator: \.isWhitespace).joined(separator: " ")
            let expected = "(values: float32, float64, bfloat16, float16; default: float32)"
            #expect(words.contains(expected), "\(command): \(help)")
        }
    }
}
