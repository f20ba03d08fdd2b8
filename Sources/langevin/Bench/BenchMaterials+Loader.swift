import Datasets
import Foundation
import Pipelines
import Storage
import Tensors

extension BenchMaterials {
    /// Every picture of the folder once, in batches of 32, epoch after epoch; nothing is kept from one to the next.
    func loading() throws -> BenchWork.Repetition {
        guard let data else {
            throw PipelineError("--data: the work loader reads a folder of pictures: give one")
        }
        let folder = try FolderDataset(
            folder: URL(file: data), width: 256, height: 256, memoryLimit: 0)
        let loader = try BatchLoader(
            folder, .init(count: folder.count, batchSize: 32, seed: 0), ahead: 2 * threads, workers: threads)
        return {
            for _ in 0..<max(1, folder.count / 32) { _ = try loader.next() }
            return nil
        }
    }
}
