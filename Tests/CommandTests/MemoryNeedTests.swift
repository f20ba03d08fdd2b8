import Checkpoints
import Foundation
import TestSupport
import Testing

/// What no machine holds is refused with its size before it is begun; what an allocator refuses becomes a sentence.
@Suite struct MemoryNeedTests {
    @Test func moreThanTheMachineHoldsIsRefused() throws {
        let tiny = try TinyModel()
        let out = tiny.folder("out.safetensors")
        try Program.expectRefused(
            ["sample", tiny.run, "--count", "1000000", "--width", "4096", "--height", "4096", "-o", out],
            "TB of memory at least, and this machine has")
        try Program.expectRefused(
            [
                "sample", tiny.run, "--count", "65536", "--batch-size", "65536", "--width", "1024",
                "--height", "1024", "-o", out,
            ], "a batch of 65536 samples of 1024×1024 in a UNet2DModel needs")
        try Program.expectRefused(
            ["sample", tiny.run, "--steps", "1", "--width", "16384", "--height", "16384", "-o", out],
            "a batch of 1 samples of 16384×16384 in a UNet2DModel needs")
    }

    @Test func aDecoderTooLargeForTheMachineIsRefused() throws {
        let folder = try TemporaryFolder()
        try Fixture("pipelines/sd1").write("model", to: folder("model"))
        // As wide as may be; its weights are not looked at before.
        var vae = try ModelFolder(folder("model/vae")).configuration()
        let levels = try vae.required("block_out_channels", as: [Int].self).count
        vae["block_out_channels"] = .array((0..<levels).map { _ in 65536 })
        vae["norm_num_groups"] = 32
        try ModelFolder(folder("model/vae")).write(vae)
        let arguments = [
            "generate", "a cat", "--model", folder("model"), "--steps", "2", "--width", "1024", "--height",
            "1024", "-o", folder("out.png"),
        ]
        try Program.expectRefused(arguments, "decoding 1024×1024 pixels needs 549.8 GB of memory at least")
    }

    @Test func aBatchTooLargeToTrainOnIsRefused() throws {
        let folder = try TemporaryFolder()
        let recipe = try folder.write(
            "recipe.yaml",
            """
            data: {size: 4096}
            model: {kind: unet2d, in_channels: 1, out_channels: 1, block_out_channels: [8, 8],
                layers_per_block: 1, norm_num_groups: 4, down_block_types: [DownBlock2D, DownBlock2D],
                up_block_types: [UpBlock2D, UpBlock2D]}
            training: {steps: 1, batch_size: 65536}
            """.utf8)
        try Program.expectRefused(
            ["train", recipe, "--out", folder("run")], "training.batch_size 65536 with a UNet2DModel of")
        #expect(!FileManager.default.fileExists(atPath: folder("run")))
    }

    #if os(Linux)
        /// The system gives less than the estimate counts on.
        @Test func anAllocationThatFailsIsASentence() throws {
            let tiny = try TinyModel()
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = [
                "-c", "ulimit -v 2000000; exec \"$0\" \"$@\" 2>\"$MESSAGES\"", Program.path, "sample",
                tiny.run,
                "--steps", "1", "--width", "3072", "--height", "3072", "-o",
                tiny.folder("out.safetensors"),
            ]
            process.environment = ProcessInfo.processInfo.environment.merging([
                "MESSAGES": tiny.folder("messages")
            ]) { $1 }
            try process.run()
            process.waitUntilExit()
            let messages = String(decoding: tiny.folder.bytes("messages"), as: UTF8.self)
            #expect(process.terminationStatus == 1, "\(messages)")
            #expect(messages.contains("error: the memory does not suffice: "), "\(messages)")
            #expect(messages.contains("more were needed in one piece"), "\(messages)")
            #expect(!messages.contains("Allocator"), "\(messages)")
        }
    #endif
}
