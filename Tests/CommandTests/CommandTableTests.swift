import Checkpoints
import Foundation
import Layers
import Networks
import Pictures
import Storage
import Tensors
import TestSupport
import Testing

/// Every command has a test in which it succeeds through the program, and so has what is easily forgotten of it.
@Suite struct CommandTableTests {
    /// A command, what of it succeeds (words of the command line, or of what it is given), and the test that shows it.
    private static let rows: [(command: String, what: [String], suite: String, test: String)] = [
        ("train", [], "RecipeFileTests", "everyRecipeTakesThreeSteps"),
        ("train", ["--resume"], "RecipeFileTests", "combinationsTrainResumeAndSample"),
        ("train", ["--set", "--out", "--json", "--keys"], "CommandTableTests", "trainingSaysWhatItDid"),
        ("sample", [], "SampleTests", "everyFormOfOutput"),
        ("sample", ["--trajectory"], "OutputTests", "twoOutputsOfOneName"),
        ("sample", ["--trajectory", "analytic:"], "AnalyticTests", "aPlaneIsDrawnAsACloud"),
        (
            "sample", ["--then", "--noise-level", "--truncated"], "CascadeCommandTests",
            "stagesOfRecipesMakeACascade"
        ),
        ("evaluate", ["--then"], "CascadeCommandTests", "stagesOfRecipesMakeACascade"),
        ("sample", ["--pairs", "--initial"], "RecipeFileTests", "pairsAreWhatReflowReads"),
        ("generate", [], "RecipeFileTests", "aTextModelIsGivenPrompts"),
        (
            "generate", ["--image", "--mask", "--denoising-end"], "ReceiptTests",
            "whatIsAskedForIsInTheReceipt"
        ),
        ("generate", ["--refiner"], "HandOverTests", "theCutIsWhereDiffusersHasIt"),
        ("generate", ["--preview", "--preview-model"], "CommandTableTests", "previewsAreWritten"),
        ("generate", ["--prompts"], "TextPictureModelTests", "aFileOfPromptsMakesAPictureOfEach"),
        ("generate", ["--strength"], "TextPictureModelTests", "imageToImageAtFullStrengthIsTheTextAlone"),
        ("generate", ["--inversion"], "TextPictureModelTests", "anInversionLeadsBack"),
        ("convert", ["run"], "TextPictureModelTests", "aPackedModelDrawsTheSamePictures"),
        ("evaluate", ["--sweep", "--plot"], "TextPictureModelTests", "aModelIsComparedByCaptions"),
        ("inspect", ["unet"], "InspectTests", "runsTensorsAndPicturesAreSeenThrough"),
        ("inspect", [".safetensors"], "InspectTests", "aSingleFileIsTakenApart"),
        ("inspect", ["analytic:"], "AnalyticTests", "samplesHaveTheMomentsOfTheData"),
        ("convert", [], "SampleTests", "aConvertedModelGivesTheSamePictures"),
        ("convert", [".safetensors"], "CheckpointMarkTests", "marksOfVelocityWinOverTheConfiguration"),
        ("convert", ["pickled.pt"], "Float8CommandTests", "aPickleIsItsExpansion"),
        ("encode", ["--json"], "EncodeTests", "aRecipesDataAreEncoded"),
        (
            "encode", ["--captions", "--split", "--flip"], "EncodeTests", "captionsOfAFolderAreEncoded"
        ),
        ("evaluate", [], "EvaluateTests", "fewSamplesAreJudgedWithACaution"),
        ("evaluate", ["--against"], "EvaluateTests", "unseenPicturesWereNotSeen"),
        ("evaluate", ["autoencoder-kl"], "AutoencoderCommandTests", "theyAreTrainedJudgedAndSeenThrough"),
        ("evaluate", ["text_to_picture"], "ContrastiveCommandTests", "aRunGoesOnBitForBitAndIsJudged"),
        ("evaluate", ["log_snr"], "ClassifierCommandTests", "aRunGoesOnBitForBitAndIsJudged"),
        ("evaluate", ["--churn", "--langevin-steps"], "EvaluateTests", "stochasticMethodsAreJudged"),
        ("evaluate", ["--classifier"], "ClassifierCommandTests", "guidedSamplesAreJudged"),
        ("likelihood", ["analytic:", "--against", "-o"], "LikelihoodCommandTests", "anExactModelIsMeasured"),
        (
            "likelihood", ["--bound-steps", "--no-clip"], "LikelihoodCommandTests",
            "aNetworkIsMeasuredOnPictures"
        ),
        ("denoise", ["--noise-level"], "DenoiseCommandTests", "theMeanIsTheClosedForm"),
        ("denoise", ["--count", "--steps"], "DenoiseCommandTests", "samplesAreOfThePosterior"),
        ("upscale", ["--scale", "--json"], "UpscaleCommandTests", "filtersResize"),
        ("upscale", [".safetensors", "convert"], "UpscaleCommandTests", "aNetworkInAFileEnlarges"),
        ("upscale", ["--tile"], "UpscaleCommandTests", "largePicturesPassInPieces"),
        ("upscale", ["--noise-level", "--prompt"], "UpscaleCommandTests", "diffusionModelsEnlarge"),
        ("control", ["--kind", "--mask", "--json"], "ControlPictureTests", "whatIsUnderTheMaskIsUnknown"),
        (
            "generate", ["--controlnet", "--control", "--guess-mode", "--replay"], "ControlNetCommandTests",
            "receiptsHoldControls"
        ),
        (
            "generate", ["--ip-adapter", "--ip-image", "--ip-encoder", "--replay"], "IPAdapterCommandTests",
            "receiptsHoldImagePrompts"
        ),
        ("generate", ["--vae"], "UpscaleCommandTests", "anotherAutoencoderTakesThePlaceOfTheModels"),
        ("generate", ["--depth"], "UpscaleCommandTests", "aPictureIsChangedByItsDepths"),
        ("explain", ["-o", "--json"], "ExplainCommandTests", "aRunIsExplained"),
        ("explain", ["analytic:", "--part"], "ExplainCommandTests", "everyFormOfModelIsExplained"),
        ("order", ["-o", "--solver", "--schedule", "--prediction"], "AnalyticTests", "theTableAndThePlot"),
        ("bench", ["--weights", "--inputs"], "BenchTests", "theTextUNetAnswersAsTheLibraryDoes"),
        (
            "generate", ["org/name", "--offline", "--revision"], "HubCommandTests",
            "oneCommandFromAnEmptyCacheMakesThePictureOfTheFolder"
        ),
        ("models", ["--json", "remove"], "HubCommandTests", "theCacheIsListedAndEmptied"),
        ("new", [], "NewTests", "aPackageIsLaidOut"),
        ("new", ["--langevin"], "NewTests", "theSourcesCanBeNamed"),
        ("help", [], "CommandTableTests", "helpIsTheCommandsOwn"),
    ]

    /// A new command must have a row here, and the row a test that is there.
    @Test func everyCommandHasATestInWhichItSucceeds() throws {
        let help = try Program.run("--experimental-dump-help").json()
        let root = try #require(help["command"] as? [String: Any])
        let commands = try #require(root["subcommands"] as? [[String: Any]])
        let names = commands.compactMap { $0["commandName"] as? String }
        #expect(names.count > 8)
        #expect(Set(Self.rows.map(\.command)) == Set(names), "a command has no row, or a row no command")
        for row in Self.rows {
            let file = "\(Program.root)/Tests/CommandTests/\(row.suite).swift"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            #expect(
                text.contains("func \(row.test)("), "\(row.command): \(row.suite) has no test \(row.test)")
            for word in row.what + [row.command] {
                #expect(text.contains(word), "\(row.command): \(row.suite) never gives \(word)")
            }
        }
    }

    // MARK: Those that no other test shows

    @Test func trainingSaysWhatItDid() throws {
        let tiny = try TinyModel()
        let outcome = try Program.run(
            "train", tiny.folder("recipe.yaml"), "--out", tiny.folder("again"), "--set", "training.steps=2",
            "--json")
        let said = try outcome.json()
        #expect(said["run"] as? String == tiny.folder("again") && said["step"] as? Int == 2)
        #expect(try #require(said["loss"] as? Double).isFinite)
        let keys = try Program.run("train", "--keys")
        #expect(keys.code == 0 && keys.output.contains("| `batch_size` |"))
    }

    @Test func previewsAreWritten() throws {
        let folder = try TemporaryFolder()
        let model = try FixtureModel(of: "sd1", in: folder)
        var configuration = AutoencoderTinyConfiguration()
        configuration.encoderBlockOutChannels = [8, 8]
        configuration.decoderBlockOutChannels = [8, 8]
        (configuration.numEncoderBlocks, configuration.numDecoderBlocks) = ([1, 1], [1, 1])
        let store = ParameterStore(.initialized(RandomGenerator(seed: 4)))
        let network = try store.build { try AutoencoderTiny(configuration, $0) }
        try network.write(store, to: ModelFolder(folder("taesd")))
        let call = [
            "generate", "a cat", "--model", model.path, "--width", "48", "--height", "32", "--steps", "2",
        ]
        let (plain, shown, preview) = (folder("plain.png"), folder("shown.png"), folder("preview.png"))
        try folder.made(call + ["-o", plain])
        try folder.made(
            call + ["-o", shown, "--preview", preview, "--preview-model", folder("taesd")])
        let picture = try Picture(contentsOf: URL(fileURLWithPath: preview))
        #expect(picture.channels == 3 && picture.width * 32 == picture.height * 48)
        // The picture itself does not depend on it.
        #expect(folder.bytes("plain.png") == folder.bytes("shown.png"))
    }

    @Test func helpIsTheCommandsOwn() throws {
        let (asked, own) = (try Program.run("help", "order"), try Program.run("order", "--help"))
        #expect(asked.code == 0 && asked.output == own.output && own.output.contains("convergence order"))
    }
}
