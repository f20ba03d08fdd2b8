import Datasets
import Networks
import Pictures
import Tensors
import TestSupport
import Testing
import Training

/// Sizes of pictures as conditions beside another one.
struct SizeConditionerTests {
    /// A context of the batch's own labels.
    private struct Labels: Conditioner {
        func conditions(of batch: Batch, hiding generator: RandomGenerator?, on device: Device) -> Conditions
        {
            Conditions(labels: batch.labels)
        }
        func classes(of batch: Batch) -> Tensor? { batch.labels }
    }

    @Test func sixNumbersStandInTheOrderOfSDXL() throws {
        var batch = Batch(data: .zeros([2, 1, 4, 4]), labels: Tensor([3, 1] as [Int64], shape: [2]))
        let sizes: [(String, [Float])] = [
            ("original_size", [40, 30, 7, 9]), ("crop_top_left", [2, 0, 0, 1]),
            ("target_size", [4, 4, 4, 4]),
        ]
        for (name, numbers) in sizes { batch.tensors[name] = Tensor(numbers, shape: [2, 2]) }
        let conditioner = SizeConditioner(Labels())
        let conditions = try conditioner.conditions(of: batch, hiding: nil, on: .cpu)
        // Height and width, top and left, height and width.
        #expect(
            try conditions[.numbers]?.array(of: Float.self) == [40, 30, 2, 0, 4, 4, 7, 9, 0, 1, 4, 4])
        #expect(conditions[.numbers].map { Array($0.shape) } == [2, 6])
        #expect(try conditions[.labels]?.array(of: Int.self) == [3, 1])
        #expect(try conditioner.classes(of: batch)?.array(of: Int.self) == [3, 1])
        batch.tensors["target_size"] = nil
        #expect { try conditioner.conditions(of: batch, hiding: nil, on: .cpu) } throws: {
            "\($0)".contains("the data have none")
        }
    }

    /// What the clock measured stands in a line and counts for no value.
    @Test func dataWaitsStandBesideValues() throws {
        let folder = try TemporaryFolder()
        let path = folder("metrics.jsonl")
        let log = try MetricsLog(path)
        try log.append(step: 1, [("loss", 0.5)], time: 2, dataWait: 0.25)
        try log.append(step: 2, [("loss", 0.25)], time: 3)
        let lines = try MetricsLog.read(path)
        #expect(lines.map(\.values) == [["loss": 0.5], ["loss": 0.25]])
        #expect(lines.map(\.dataWait) == [0.25, nil])
        #expect(
            String(decoding: folder.bytes("metrics.jsonl"), as: UTF8.self).hasPrefix(
                #"{"step":1,"time":2.0,"loss":0.5,"data_wait":0.25}"#))
    }
}
