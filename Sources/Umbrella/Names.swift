import Checkpoints
import Datasets
import Diffusion
import Evaluation
import Layers
import Networks
import Pictures
import Pipelines
@_exported import Tensors
import Training

// The names that a program needs which opens models, samples and trains: `import Langevin` alone brings them, and tensors
// whole, because operators come with their module only. Everything else is a module of its own (`Diffusion` for the
// mathematics, `Networks` for every network, `MonteCarlo` …).

// MARK: Sampling

/// A model that draws samples.
public typealias Model = Pipelines.Model
/// The model that comes with the project.
public typealias ShippedModel = Pipelines.ShippedModel
/// How a model is opened.
public typealias ModelOptions = Pipelines.ModelOptions
/// What is wanted of a model.
public typealias Request = Pipelines.Request
/// A run of a model as a sequence of its steps.
public typealias Run = Pipelines.Run
/// A step of a run.
public typealias RunStep = Pipelines.RunStep
/// Everything that a picture was made with.
public typealias Receipt = Pipelines.Receipt
/// Opened parts of models, within a budget of memory.
public typealias PartStore = Pipelines.PartStore
/// Why a model cannot be opened or a request cannot be met.
public typealias PipelineError = Pipelines.PipelineError
/// Pixels.
public typealias Picture = Pictures.Picture
/// Pictures side by side.
public typealias Sheet = Pictures.Sheet
/// Lines and dots over two axes.
public typealias Plot = Pictures.Plot

// MARK: Mathematics

/// What a network was trained on and how it is sampled. Foundation has another `Process`, hence the longer name.
public typealias DiffusionProcess = Diffusion.Process
/// A process by the words of recipes.
public typealias ProcessDescription = Diffusion.ProcessDescription
/// What is estimated of a sample at a level.
public typealias Denoiser = Diffusion.Denoiser
/// Data and noise of a sample, estimated.
public typealias Estimate = Diffusion.Estimate
/// α and σ at a time.
public typealias NoiseLevel = Diffusion.NoiseLevel
/// A process cut into steps, and the method that takes them.
public typealias Sampler = Diffusion.Sampler
/// A way to take one step.
public typealias Solver = Diffusion.Solver
/// A solver by its name.
public typealias Method = Diffusion.Method
/// How steps are spread.
public typealias Grid = Diffusion.Grid
/// One stream of noise a sample.
public typealias NoiseSource = Diffusion.NoiseSource
/// One estimate of several branches.
public typealias Guidance = Diffusion.Guidance
/// A mixture of Gaussians, whose denoiser is known exactly.
public typealias GaussianMixture = Diffusion.GaussianMixture

// MARK: Networks

/// A scope of a network's parameters.
public typealias Weights = Layers.Weights
/// All parameters of a network.
public typealias ParameterStore = Layers.ParameterStore
/// y = x · Wᵀ + b
public typealias Linear = Layers.Linear
/// A network from a noisy sample and a time to an estimate.
public typealias NoiseNetwork = Networks.NoiseNetwork
/// What a network is conditioned on.
public typealias Conditions = Networks.Conditions
/// diffusers' U-Net on pictures.
public typealias UNet2D = Networks.UNet2D
/// A folder of a network.
public typealias ModelFolder = Checkpoints.ModelFolder
/// A safetensors file.
public typealias SafetensorsFile = Checkpoints.SafetensorsFile

// MARK: Training

/// Everything that a training run is made with, as its YAML file.
public typealias Recipe = Training.Recipe
/// What a training run is made of.
public typealias TrainingParts = Training.TrainingParts
/// Takes the steps of a training run.
public typealias Trainer = Training.Trainer
/// The folder of a training run.
public typealias RunFolder = Training.RunFolder
/// What a network learns.
public typealias Objective = Diffusion.Objective
/// Named tensors of a batch.
public typealias Example = Diffusion.Example
/// The networks that take part in an objective.
public typealias Roles = Diffusion.Roles
/// A loss for each example.
public typealias Losses = Diffusion.Losses
/// The memory of an objective that needs none.
public typealias NoMemory = Diffusion.NoMemory
/// Data to learn from.
public typealias Dataset = Datasets.Dataset
/// Data in memory.
public typealias TensorDataset = Datasets.TensorDataset
/// Compares samples with data.
public typealias Evaluator = Evaluation.Evaluator
