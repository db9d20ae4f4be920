"""What a user can set: the job file, checked before anything starts.

A job is a YAML file (`load_config`) with overrides ``--set a.b=value`` on top. Every model is
frozen and refuses keys that it does not know, so a misspelt setting fails in a second with a
sentence. Config stops at `unitaf.build`; classes take flat arguments.
"""

from unitaf.config.jobs import (
    AutoFaceConfig,
    ClipsConfig,
    FaceConfig,
    FaceModelConfig,
    GenerateConfig,
    HibariConfig,
    IndexTts2Config,
    OutputConfig,
    PrepareConfig,
    RunConfig,
    ScriptConfig,
    SourceConfig,
    StubConfig,
    TtsConfig,
    VisemesConfig,
    VoiceConfig,
    check_config,
    load_config,
    load_prepare_config,
)
from unitaf.config.settings import (
    dump_config,
)
from unitaf.config.training import (
    DEFAULT_STAGES,
    EvaluateConfig,
    LossName,
    MouthWeightConfig,
    NetworkConfig,
    OptimiserConfig,
    Part,
    StageConfig,
    TrainConfig,
    WorkersConfig,
    check_train_config,
    load_evaluate_config,
    load_train_config,
)

__all__ = [
    "DEFAULT_STAGES",
    "AutoFaceConfig",
    "ClipsConfig",
    "EvaluateConfig",
    "FaceConfig",
    "FaceModelConfig",
    "GenerateConfig",
    "HibariConfig",
    "IndexTts2Config",
    "LossName",
    "MouthWeightConfig",
    "NetworkConfig",
    "OptimiserConfig",
    "OutputConfig",
    "Part",
    "PrepareConfig",
    "RunConfig",
    "ScriptConfig",
    "SourceConfig",
    "StageConfig",
    "StubConfig",
    "TrainConfig",
    "TtsConfig",
    "VisemesConfig",
    "VoiceConfig",
    "WorkersConfig",
    "check_config",
    "check_train_config",
    "dump_config",
    "load_config",
    "load_evaluate_config",
    "load_prepare_config",
    "load_train_config",
]
