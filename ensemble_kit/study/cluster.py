"""Where folds and trials run: a section of the study that no result depends on."""

from pydantic import Field

from ensemble_kit.study.data import Section


class ClusterSpec(Section):
    executor: str = Field("local", description="what runs folds and trials")
    address: str = Field(
        "", description="of a cluster that runs already, as in tcp://host:8786; '': one of its own"
    )
    gpus: float = Field(0.0, ge=0, le=64, description="GPUs that a fold declares to the cluster")
    devices: str = Field(
        "", description="graphics cards of this machine that folds are spread over, as in 0,1"
    )
    memory: float = Field(0.0, ge=0, le=1e5, description="GB that a fold declares to the cluster")
    stage: bool = Field(
        False, description="workers share no folder: they fetch what they lack, and send back"
    )
    stage_dir: str = Field(
        "", description="folder of fetched files on a worker; '': below its user's cache"
    )
