import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

/// Files that were made to do harm. Each is refused with a sentence, quickly and without much memory. The
/// letters are those of the list of bad inputs for safetensors, here met by their counterparts.
@Suite struct HostilePickleTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    static let four = Pickle.tensor([4], strides: [1], of: 4)
    static let bytes = [UInt8](repeating: 0, count: 16)

    func open(file bytes: [UInt8]) throws -> PickledCheckpoint {
        try PickledCheckpoint(path: folder.write("model.pt", bytes))
    }

    func open(_ value: [UInt8], _ storages: [String: [UInt8]] = ["0": bytes]) throws -> PickledCheckpoint {
        try open(file: RawArchive(pickle: Pickle.program(value), storages: storages).bytes)
    }

    func refusal(_ body: () throws -> PickledCheckpoint) -> String {
        do {
            let file = try body()
            for name in file.names { _ = try file.tensor(named: name) }
            return "accepted"
        } catch {
            return "\(error)"
        }
    }

    @Test func theHarmlessOneIsRead() throws {
        let file = try open(Pickle.dictionary([("a", Self.four)]))
        #expect(try file.tensor(named: "a").array(of: Float.self) == [0, 0, 0, 0])
    }

    /// The two dictionaries of an IP-Adapter are one set, and named as in its other layout.
    @Test func theTwoPartsOfAnImageAdapterAreOne() throws {
        let inner = [("a.b", Self.four), ("note", Pickle.text("x"))]
        let parts = ["image_proj", "ip_adapter"].map { ($0, Pickle.dictionary(inner)) }
        let file = try open(Pickle.dictionary(parts + [("step", Pickle.integer(3))]))
        #expect(file.names == ["image_proj.a.b", "ip_adapter.a.b"])
        #expect(file.skipped == ["image_proj.note: a text", "ip_adapter.note: a text", "step: a number"])
        let three = refusal { try open(Pickle.dictionary(parts + [("ema", Pickle.dictionary(inner))])) }
        #expect(three.contains("several sets of weights"))
        let twice = refusal { try open(Pickle.dictionary(parts + [parts[0]])) }
        #expect(twice.contains("several sets of weights"))
    }

    // MARK: What the pickle asks for

    static let commands = [
        ("os", "system"), ("posix", "system"), ("nt", "system"), ("subprocess", "Popen"),
        ("builtins", "eval"),
        ("builtins", "exec"), ("builtins", "getattr"), ("builtins", "__import__"), ("__builtin__", "eval"),
        ("runpy", "_run_code"), ("importlib", "import_module"), ("webbrowser", "open"), ("shutil", "rmtree"),
        ("socket", "socket"), ("operator", "attrgetter"), ("functools", "partial"), ("pickle", "loads"),
        ("sys", "exit"), ("ctypes", "CDLL"), ("Torch", "x"), ("torchx.os", "system"), ("", ""),
        ("collections", "x"),
    ]

    /// Wherever it stands: called, merely named, beside the weights or in place of them, in either form.
    @Test(arguments: commands)
    func namesWithoutBusinessAreRefused(_ module: String, _ name: String) {
        let call = Pickle.call(module, name, Pickle.text("true"))
        let stacked = Pickle.text(module) + Pickle.text(name) + [0x93]
        for value in [call, stacked, Pickle.global(module, name)] {
            for whole in [
                value, Pickle.dictionary([("a", Self.four), ("b", value)]), value + [0x30] + Self.four,
            ] {
                #expect(refusal { try open(whole) }.contains("\"\(module).\(name)\""))
            }
        }
    }

    /// What training programs leave is a placeholder, whatever is done with it; nothing in it is looked at.
    @Test func strangersOfTrainingArePlaceholders() throws {
        let thing =
            Pickle.global("omegaconf.x", "Y") + [0x29, 0x81] + Pickle.dictionary([("hidden", Self.four)]) + [
                0x62
            ]
        let used = thing + [0x28] + Pickle.text("k") + Self.four + [0x75] + Pickle.text("e") + [0x61]
        let file = try open(Pickle.dictionary([("a", Self.four), ("b", used)]))
        #expect(file.names == ["a"] && file.skipped == ["b: omegaconf.x.Y"])
    }

    /// Instructions that weights do not need: classes of old, the extension table, references by text, and
    /// the text forms of protocol 0.
    @Test(arguments: Array("ioPILFSVpg".utf8) + [0x82, 0x83, 0x84, 0x97, 0x98, 0xFF, 0x00])
    func otherInstructionsAreRefused(_ code: UInt8) {
        let value = Pickle.text("x") + [code] + Array("os\nsystem\n".utf8)
        #expect(refusal { try open(value) }.contains("none that weights need"))
    }

    static let broken: [(String, [UInt8])] = [
        ("empty stack", [0x61]), ("no mark", [0x4E, 0x75]), ("memo", [0x68, 7]),
        ("reduce of a number", [0x4B, 1, 0x29, 0x52]),
        ("append to a number", [0x4B, 1, 0x4B, 1, 0x61]), ("half a pair", [0x7D, 0x28, 0x4B, 1, 0x75]),
        ("two values", [0x4E, 0x4E]), ("open mark", [0x4E, 0x28]), ("storage", [0x29, 0x51]),
        ("pop over mark", [0x4E, 0x28, 0x30]),
        ("long text", [0x58, 255, 255, 255, 255]), ("longer text", [0x8D] + little(-1, 8)),
        ("long integer", [0x8B, 255, 255, 255, 127]),
        ("protocol", [0x80, 9]), ("name", [0x63, 0x61]), ("class of numbers", [0x4B, 1, 0x4B, 1, 0x93]),
    ]

    @Test(arguments: broken)
    func brokenProgramsAreRefused(_ name: String, _ value: [UInt8]) {
        let message = refusal { try open(value) }
        #expect(message.contains("the pickle in it cannot be read"), "\(name): \(message)")
    }

    // MARK: Tensors

    static let windows: [(String, [UInt8])] = [
        ("A20 storage cut", Pickle.tensor([5], strides: [1], of: 5)),
        ("A21 negative shape", Pickle.tensor([-1], strides: [1], of: 4)),
        ("A23 negative offset", Pickle.tensor([1], strides: [1], offset: -1, of: 4)),
        ("negative stride", Pickle.tensor([2], strides: [-1], offset: 1, of: 4)),
        ("A22 offset beyond", Pickle.tensor([1], strides: [1], offset: 4, of: 4)),
        ("A22 stride beyond", Pickle.tensor([2, 2], strides: [3, 1], of: 4)),
        ("A25 huge offset", Pickle.tensor([1], strides: [1], offset: Int.max, of: 4)),
        ("A27 overflow", Pickle.tensor([1 << 40, 1 << 40], strides: [0, 0], of: 4)),
        ("A27 overflow beside nothing", Pickle.tensor([1 << 40, 1 << 40, 0], strides: [0, 0, 0], of: 4)),
        ("A27 strides overflow", Pickle.tensor([3], strides: [Int.max], of: 4)),
        ("exabytes of one number", Pickle.tensor([1 << 50], strides: [0], of: 4)),
        ("A28 wrong count", Pickle.tensor([4], strides: [1], of: 4, type: "DoubleStorage")),
        ("negative count", Pickle.tensor([0], strides: [1], of: -4)),
        ("count overflow", Pickle.tensor([4], strides: [1], of: Int.max)),
        ("ranks differ", Pickle.tensor([4], strides: [], of: 4)),
        (
            "rank 65",
            Pickle.tensor(Array(repeating: 1, count: 65), strides: Array(repeating: 1, count: 65), of: 4)
        ),
        ("missing storage", Pickle.tensor([4], strides: [1], of: 4, key: "1")),
        ("storage outside", Pickle.tensor([4], strides: [1], of: 4, key: "../data.pkl")),
        ("no storage", Pickle.call("torch._utils", "_rebuild_tensor_v2", [0x4E, 0x4B, 0, 0x29, 0x29])),
    ]

    @Test(arguments: windows)
    func windowsOutsideTheirStorageAreRefused(_ name: String, _ value: [UInt8]) {
        let message = refusal { try open(Pickle.dictionary([("a", value)])) }
        #expect(message != "accepted" && !message.isEmpty, "\(name)")
    }

    @Test func storagesHaveOneDescription() {
        let pair = [("a", Self.four), ("b", Pickle.tensor([8], strides: [1], of: 8, type: "HalfStorage"))]
        #expect(refusal { try open(Pickle.dictionary(pair)) }.contains("in two ways"))
    }

    @Test func emptyAndScalarTensorsAreRead() throws {  // A39, A40
        let file = try open(
            Pickle.dictionary([
                ("scalar", Pickle.tensor([], strides: [], offset: 3, of: 4)),
                ("empty", Pickle.tensor([0, 7], strides: [7, 1], offset: 4, of: 4)),
            ]))
        #expect(try file.tensor(named: "scalar").array(of: Float.self) == [0])
        #expect(try file.tensor(named: "empty").shape == [0, 7])
    }

    /// A16, A43: names are keys and nothing else.
    @Test func namesAreOnlyKeys() throws {
        let long = String(repeating: "x", count: 1 << 20)
        let names = ["é", "e\u{301}", "../../x", "a\0b", long]
        let file = try open(Pickle.dictionary(names.map { ($0, Self.four) }))
        #expect(file.names.count == 5 && file.shape(of: long) == [4] && file.shape(of: "é") == [4])
        let twice = refusal { try open(Pickle.dictionary([("a", Self.four), ("a", Self.four)])) }
        #expect(twice.contains("twice"))  // A13
    }

    @Test func valuesThatHoldThemselvesAreSeen() {
        // {"state_dict": itself}
        let circle: [UInt8] = [0x7D, 0x71, 0] + Pickle.text("state_dict") + [0x68, 0, 0x73]
        #expect(refusal { try open(circle) }.contains("holds itself"))
        #expect(refusal { try open([0x5D, 0x71, 0, 0x68, 0, 0x61]) }.contains("no tensors by name"))
    }

    // MARK: Size and time

    @Test(.timeLimit(.minutes(1)))
    func workIsBounded() {
        let clock = ContinuousClock()
        let deep = [UInt8](repeating: 0x5D, count: 200_000) + [UInt8](repeating: 0x61, count: 199_999)  // A11
        let many = [0x7D, 0x28] + [UInt8](repeating: 0x4E, count: 2_000_000) + [0x75]  // A12
        // One list of 100,000 pairs, made an ordered dictionary again and again.
        let pairs =
            [UInt8]([0x5D, 0x71, 0, 0x28]) + (0..<100_000).flatMap { _ in [0x4E, 0x4E, 0x86] as [UInt8] } + [
                0x65, 0x30,
            ]
        let copies =
            pairs
            + (0..<10_000).flatMap { _ in Pickle.call("collections", "OrderedDict", [0x68, 0]) + [0x30] }
        let stop = "more values than weights need"
        for (value, word) in [(deep, "no tensors by name"), (many, stop), (copies, stop)] {
            var message = ""
            let time = clock.measure { message = refusal { try open(value) } }
            #expect(message.contains(word), "\(message)")
            #expect(time < .seconds(10), "\(word)")
        }
    }

    // MARK: Archives

    func archive(_ change: (inout RawArchive) -> Void) -> String {
        var archive = RawArchive(
            pickle: Pickle.program(Pickle.dictionary([("a", Self.four)])), storages: ["0": Self.bytes])
        change(&archive)
        return refusal { try open(file: archive.bytes) }
    }

    @Test func damagedArchivesAreRefused() {
        #expect(archive { _ in } == "accepted")
        #expect(archive { $0.comment = Array("PK\u{5}\u{6} a comment".utf8) } == "accepted")
        #expect(archive { $0.entries.append($0.entries[1]) }.contains("twice"))
        #expect(archive { $0.entries[1].flags = 1 }.contains("encrypted"))
        #expect(archive { $0.entries[1].method = 12 }.contains("method 12"))
        #expect(archive { $0.entries[1].claimedByteCount = 1 << 30 }.contains("two sizes"))
        #expect(archive { $0.entries[1].claimedOffset = 0 }.contains("in two ways"))
        #expect(archive { $0.entries[1].claimedOffset = 1 << 30 }.contains("outside"))
        #expect(archive { $0.entries[1].nameInHeader = "archive/data/1" }.contains("in two ways"))
        #expect(archive { $0.entries[0].name = "data.pkl" }.contains("no file of PyTorch"))
        #expect(archive { $0.entries.append(.init(name: "b/data.pkl", bytes: [])) }.contains("2 pickles"))
        #expect(
            archive { $0.entries.append(.init(name: "archive/code/x.py", bytes: [])) }.contains("TorchScript")
        )
        #expect(
            archive { $0.entries.append(.init(name: "archive/byteorder", bytes: Array("big".utf8))) }
                .contains("big-endian"))
        #expect(archive { $0.entries[0].bytes += [0x4E] }.contains("bytes follow"))
        #expect(archive { $0.entries[1].name = "archive/data/\0" }.contains("no text"))
        #expect(archive { $0.entries[0].checksum = 1 }.contains("damaged"))
        #expect(archive { $0.claimedEntryCount = 60_000 }.contains("damaged"))
        // A17: an entry within another one's bytes.
        #expect(
            archive { archive in
                var inner = RawArchive(pickle: [])
                inner.entries = [.init(name: "archive/z", bytes: [1])]
                let start = 30 + 16 + archive.entries[0].bytes.count + 30 + 14
                archive.entries[1].bytes = inner.bytes
                archive.entries.append(.init(name: "archive/z", bytes: [1], claimedOffset: start))
            }.contains("share their bytes"))
    }

    @Test func packedBombsAreRefused() {
        let claim = archive { archive in
            archive.entries[1].method = 8
            archive.entries[1].claimedByteCount = 1 << 30
        }
        #expect(claim.contains("which weights do not"))
        // 1 MB of zeros packed as a pickle of 16 bytes.
        let wrong = archive { archive in
            archive.entries[1].method = 8
            archive.entries[1].bytes = [0x63, 0x60, 0x18, 0x05, 0xA3, 0x60, 0x14, 0x0C, 0x3D, 0x00]
            archive.entries[1].claimedByteCount = 16
        }
        #expect(wrong.contains("cannot be unpacked") || wrong.contains("another size"))
    }

    /// A1 to A7, A20: a file that ends anywhere is refused.
    @Test(arguments: ["archive.pt", "legacy.bin", "deflated.pt"])
    func cutFilesAreRefused(_ name: String) throws {
        let whole = try contents(of: PickledCheckpointTests.path(name))
        for count in stride(from: 0, to: whole.count, by: 17) {
            #expect(
                refusal { try open(file: Array(whole.prefix(count))) } != "accepted",
                "\(name) cut at \(count)")
        }
        #expect(refusal { try open(file: whole + [0]) } != "accepted")  // A19
        #expect(refusal { try open(file: [0] + whole) } != "accepted")
    }

    /// A storage that was changed since it was written.
    @Test func changedStoragesAreFound() throws {
        let intact = try PickledCheckpoint(path: PickledCheckpointTests.path("archive.pt"))
        let first = try intact.tensor(named: "base").withBytes { Array($0) }
        var whole = try contents(of: PickledCheckpointTests.path("archive.pt"))
        let place = try #require(
            (0..<whole.count - first.count).first { whole[$0..<($0 + first.count)] == first[...] })
        whole[place] ^= 1
        let file = try open(file: whole)
        let error = #expect(throws: CheckpointError.self) { try file.verify() }
        #expect(error?.problem.contains("\"0\" is damaged") == true)
    }

    // MARK: Random damage

    /// Whatever comes, the reader answers with tensors that are within the file or with an error.
    @Test func neverTraps() throws {
        var random = SplitMix(seed: 3)
        let value = Pickle.dictionary([
            ("a", Self.four), ("b", Pickle.tensor([2, 2], strides: [1, 2], of: 4)), ("n", [0x4E]),
            (
                "c",
                Pickle.call(
                    "torch._utils", "_rebuild_parameter",
                    Self.four + [0x88] + Pickle.call("collections", "OrderedDict", []))
            ),
        ])
        let legacy = try contents(of: PickledCheckpointTests.path("legacy.bin"))
        let packed = try contents(of: PickledCheckpointTests.path("deflated.pt"))
        var accepted = 0
        for index in 0..<6_000 {
            var pickle = Pickle.program(value)
            if index % 3 > 0 { damage(&pickle, &random) }
            var file = RawArchive(pickle: pickle, storages: ["0": Self.bytes]).bytes
            if index % 3 == 0 {
                file = index % 2 == 0 ? file : index % 4 == 1 ? legacy : packed
                damage(&file, &random)
            }
            guard let opened = try? open(file: file) else { continue }
            accepted += 1
            for name in opened.names {
                let tensor = try? opened.tensor(named: name)
                #expect(tensor.map { $0.byteCount <= 64 * file.count } ?? true)
            }
        }
        #expect(accepted > 300)
    }

    private func damage(_ bytes: inout [UInt8], _ random: inout SplitMix) {
        for _ in 0..<Int.random(in: 1...3, using: &random) {
            let at = Int.random(in: 0..<bytes.count, using: &random)
            switch Int.random(in: 0..<4, using: &random) {
            case 0: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
            case 1: bytes[at] = UInt8.random(in: 0...255, using: &random)
            case 2: bytes.remove(at: at)
            default: bytes.insert(bytes[Int.random(in: 0..<bytes.count, using: &random)], at: at)
            }
        }
    }
}
