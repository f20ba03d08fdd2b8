import Checkpoints
import Layers
import Tensors
import TestSupport
import Testing

#if canImport(Darwin)
    import Darwin
#else
    import Glibc
#endif

@Suite struct FileTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    func refusal(_ body: () throws -> Void) -> String? {
        do {
            try body()
            return nil
        } catch {
            return "\(error)"
        }
    }

    /// A file that the reference implementation wrote, of every type that tensors can hold.
    @Test(arguments: [SafetensorsFile.Storage.mapped, .copied])
    func readsEveryTypeOfTheReference(_ storage: SafetensorsFile.Storage) throws {
        let file = try SafetensorsFile(path: fixturePath("checkpoints/types.safetensors"), storage: storage)
        #expect(file.metadata["format"] == "pt")
        #expect(
            Set(file.names) == [
                "bool", "uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32",
                "float64",
                "scalar", "empty", "uint16", "complex64", "float8",
            ])
        let wanted: [Double] = [0, 1, 2, 3, 4, 5]
        for name in ["uint8", "int8", "int16", "int32", "int64", "float16", "bfloat16", "float32", "float64"]
        {
            let tensor = try file.tensor(named: name)
            #expect("\(tensor.elementType)" == name)
            #expect(tensor.shape == [2, 3])
            #expect(try tensor.array(of: Double.self) == wanted.map { name.contains("u") ? $0 : $0 - 2 })
        }
        #expect(try file.tensor(named: "bool").array(of: Bool.self) == [true, false, true])
        #expect(try file.tensor(named: "scalar").array(of: Float.self) == [2.5])
        #expect(try file.tensor(named: "scalar").shape == [])
        #expect(try file.tensor(named: "empty").shape == [0, 7])
        #expect(file.shape(of: "empty") == [0, 7])
        #expect(file.shape(of: "nowhere") == nil)
        #expect(file.elementType(of: "float8") == .float32 && file.shape(of: "float8") == [2])
        for name in ["uint16", "complex64"] {
            #expect(file.shape(of: name) == [2])
            #expect(file.elementType(of: name) == nil)
            let message = try #require(refusal { _ = try file.tensor(named: name) })
            #expect(message.contains("\"\(name)\"") && message.contains("cannot hold"))
        }
        #expect(refusal { _ = try file.tensor(named: "nowhere") }?.contains("no tensor \"nowhere\"") == true)
    }

    @Test func tensorsOutliveTheFile() throws {
        let path = try folder.write(
            "a.safetensors", SafetensorsWriter([("a", Tensor([1, 2, 3] as [Float]))]).bytes())
        let tensor = try SafetensorsFile(path: path).tensor(named: "a")
        unlink(path)
        #expect(try (tensor + tensor).array(of: Float.self) == [2, 4, 6])
    }

    @Test func sharesMappedMemory() throws {
        let path = try folder.write(
            "a.safetensors", SafetensorsWriter([("a", Tensor([1, 2, 3] as [Float]))]).bytes())
        let file = try SafetensorsFile(path: path)
        let first = try file.tensor(named: "a").withBytes { $0.baseAddress }
        let second = try file.tensor(named: "a").withBytes { $0.baseAddress }
        #expect(first != nil && first == second)
    }

    @Test func copiesWhatIsNotAligned() throws {  // A41
        for padding in 0..<8 {
            let spaces = String(repeating: " ", count: padding)
            var raw = RawFile(#"{"a":{"dtype":"F64","shape":[2],"data_offsets":[0,16]}}\#(spaces)"#)
            raw.data = [1.5, -2].flatMap {
                withUnsafeBytes(of: ($0 as Double).bitPattern.littleEndian, Array.init)
            }
            let file = try SafetensorsFile(path: folder.write("a.safetensors", raw.bytes))
            let tensor = try file.tensor(named: "a")
            let isAligned = try tensor.withBytes { UInt(bitPattern: $0.baseAddress) % 8 == 0 }
            #expect(isAligned)
            #expect(try tensor.array(of: Double.self) == [1.5, -2])
        }
    }

    @Test func readsBooleansThatAreNeitherZeroNorOne() throws {
        var raw = RawFile(#"{"a":{"dtype":"BOOL","shape":[4],"data_offsets":[0,4]}}"#)
        raw.data = [0, 1, 2, 255]
        let file = try SafetensorsFile(path: folder.write("a.safetensors", raw.bytes))
        #expect(try file.tensor(named: "a").withBytes(Array.init) == [0, 1, 1, 1])
    }

    @Test func countsWhatIsNotFinite() throws {  // A42
        let values: [Float] = [1, .nan, .infinity, -.infinity, .greatestFiniteMagnitude, 0]
        var rows: [(String, Tensor)] = [("i", Tensor([1, -1] as [Int32]))]
        for type in [ElementType.float32, .float64, .float16, .bfloat16] {
            rows.append(("\(type)", Tensor(values).to(type)))
        }
        let file = try SafetensorsFile(path: folder.write("a.safetensors", SafetensorsWriter(rows).bytes()))
        #expect(try file.nonFiniteCount(of: "float32") == 3)
        #expect(try file.nonFiniteCount(of: "float64") == 3)
        // The largest float32 is beyond float16 and rounds to infinity in bfloat16.
        #expect(try file.nonFiniteCount(of: "float16") == 4)
        #expect(try file.nonFiniteCount(of: "bfloat16") == 4)
        #expect(try file.nonFiniteCount(of: "i") == 0)
        #expect(file.nonFiniteCount() == 14)
        #expect(try file.tensor(named: "float32").array(of: Float.self)[1].isNaN)
    }

    @Test func copiedFilesMayChangeAfterwards() throws {  // A44
        let path = try folder.write(
            "a.safetensors", SafetensorsWriter([("a", Tensor([1, 2, 3] as [Float]))]).bytes())
        let file = try SafetensorsFile(path: path, storage: .copied)
        #expect(truncate(path, 0) == 0)
        #expect(try file.tensor(named: "a").array(of: Float.self) == [1, 2, 3])
    }

    @Test func refusesWhatIsNoRegularFile() throws {  // A45
        let pipe = folder("pipe")
        #expect(mkfifo(pipe, 0o600) == 0)
        for storage in [SafetensorsFile.Storage.mapped, .copied] {
            for (path, words) in [
                (pipe, "pipe or device"), (folder.path, "folder"), ("/dev/zero", "pipe or device"),
                (folder("none"), "No such file"), ("a\0b", "NUL"),
            ] {
                let message = try #require(refusal { _ = try SafetensorsFile(path: path, storage: storage) })
                #expect(message.contains(words))
            }
        }
    }

    @Test func opensALargeFileAtOnce() throws {
        // A sparse file of 3.4 GB: nothing but its header is read.
        let count = 850_000_000
        var header = Array(
            #"{"a":{"dtype":"F32","shape":[\#(count)],"data_offsets":[0,\#(count * 4)]}}"#.utf8)
        header += [UInt8](repeating: 0x20, count: (8 - header.count % 8) % 8)
        let path = try folder.write("large.safetensors", RawFile(header: header).bytes)
        #expect(truncate(path, 8 + header.count + count * 4) == 0)
        var sum: Float?
        let time = try ContinuousClock().measure {
            let file = try SafetensorsFile(path: path)
            sum = try file.tensor(named: "a").withBytes {
                $0.load(fromByteOffset: $0.count - 4, as: Float.self)
            }
        }
        #expect(sum == 0)
        #expect(time < .milliseconds(100), "it took \(time)")
    }

    @Test func namesTheDamagedFile() throws {
        let path = try folder.write(
            "cut.safetensors", SafetensorsWriter([("a", Tensor([1] as [Float]))]).bytes().dropLast())
        #expect(refusal { _ = try SafetensorsFile(path: path) }?.hasPrefix(path + ": ") == true)
        let empty = try folder.write("empty.safetensors", [])
        #expect(refusal { _ = try SafetensorsFile(path: empty) }?.contains("it is empty") == true)
    }

    /// A network built from a file that does not fit says everything that is wrong, twenty names of a
    /// kind at most (A47).
    @Test func reportsWhatDoesNotFitANetwork() throws {
        let rows =
            (0..<30).map { ("extra.\($0)", Tensor([1] as [Float])) } + [
                ("weight", Tensor([1, 2] as [Float]))
            ]
        let file = try SafetensorsFile(path: folder.write("a.safetensors", SafetensorsWriter(rows).bytes()))
        let store = ParameterStore(.loaded(file))
        let message = try #require(refusal { _ = try store.build { Linear(inputs: 2, outputs: 1, $0) } })
        #expect(message.contains("1 tensor missing: \"bias\""))
        #expect(message.contains("\"weight\" ([2] instead of [1, 2])"))
        #expect(message.contains("30 tensors not known to the network"))
        #expect(message.contains("and 10 more"))
    }
}
