"""Trained models on disk: a strict model card (JSON) that vouches for the weights (safetensors) beside it."""

import hashlib
import json
import math
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar, cast, get_args

from engine.errors import CheckpointError
from engine.folders import checkpoints_dir

if TYPE_CHECKING:
    from torch import Tensor

    from engine.datasets.background import Background

FORMAT = "coldcast-checkpoint"
VERSION = 1
CARD_FILE = "card.json"
WEIGHTS_FILE = "weights.safetensors"

Conditioning = Literal["none", "data", "data+noise"]
Method = Literal["dyffusion", "dropout"]
OutputForm = Literal["absolute", "linear", "root"]
Dtype = Literal["float32", "float16"]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_T = TypeVar("_T")


@dataclass(frozen=True)
class NetworkCard:
    """The family of a network and the keyword arguments that build it."""

    family: str
    config: Mapping[str, Any]


@dataclass(frozen=True)
class Normalization:
    """Mean and standard deviation of each channel, in physical units."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True)
class Defaults:
    """What a forecast request that leaves a field open is given."""

    steps: int
    members: int
    schedule: str
    solver: str
    last_step: str
    noise: str
    refine: bool
    precision: str


@dataclass(frozen=True)
class ModelCard:
    """Everything needed to rebuild and run trained networks, and where they came from.

    Without an interpolator the forecaster is asked for every lead by itself, its dropout on. keeps_dropout: whether
    the forecaster's dropout stays on in forecasts of a pair too.
    """

    name: str
    title: str
    dataset: str
    preset: str
    horizon: int
    auxiliary_steps: int
    conditioning: Conditioning
    forecaster: NetworkCard
    interpolator: NetworkCard | None
    normalization: Normalization
    output_form: OutputForm
    side_inputs: bool
    keeps_dropout: bool
    defaults: Defaults
    training: Mapping[str, Any]
    scores: Mapping[str, Any]
    weights_sha256: str = ""
    weights_dtype: Dtype = "float32"

    @property
    def method(self) -> Method:
        """ "dyffusion", or "dropout" where there is no interpolator (both of arXiv 2306.01984)."""
        return "dropout" if self.interpolator is None else "dyffusion"

    @property
    def digest(self) -> str:
        """Sha256 over all that can change a number in a forecast: not the title, defaults or scores."""
        names = ("dataset", "horizon", "auxiliary_steps", "conditioning", "forecaster", "interpolator")
        fields = asdict(self)
        wiring = ("normalization", "output_form", "side_inputs", "keeps_dropout")
        parts = {name: fields[name] for name in (*names, *wiring, "weights_sha256")}
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()

    def to_json(self) -> str:
        """The card as the text of `card.json`."""
        fields = {"format": FORMAT, "version": VERSION, **asdict(self)}
        return json.dumps(fields, indent=1, allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> "ModelCard":
        """Read a card, refusing anything but exactly this version's fields with their types.

        Raises: CheckpointError naming the first thing that is wrong.
        """
        card = _Fields("model card", _parse(text))
        card.take_exactly("format", FORMAT)
        card.take_exactly("version", VERSION)
        result = cls(
            name=card.take("name", str),
            title=card.take("title", str),
            dataset=card.take("dataset", str),
            preset=card.take("preset", str),
            horizon=card.take_count("horizon", least=1),
            auxiliary_steps=card.take_count("auxiliary_steps", least=0),
            conditioning=cast(Conditioning, card.take_choice("conditioning", get_args(Conditioning))),
            forecaster=_network(card.open("forecaster")),
            interpolator=None if card.take_none("interpolator") else _network(card.open("interpolator")),
            normalization=_normalization(card.open("normalization")),
            output_form=cast(OutputForm, card.take_choice("output_form", get_args(OutputForm))),
            side_inputs=card.take("side_inputs", bool),
            keeps_dropout=card.take("keeps_dropout", bool),
            defaults=_defaults(card.open("defaults")),
            training=card.take("training", dict),
            scores=card.take("scores", dict),
            weights_sha256=card.take("weights_sha256", str),
            weights_dtype=cast(Dtype, card.take_choice("weights_dtype", get_args(Dtype))),
        )
        card.close()
        if result.interpolator is None and result.conditioning == "data+noise":
            raise CheckpointError("A model without interpolator draws no noise, but its card says data+noise.")
        if not _SHA256.fullmatch(result.weights_sha256):
            raise CheckpointError("The model card's weights_sha256 is not a sha256; save the checkpoint again.")
        return result


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """A model card with its weights (float32, by parameter; no interpolator's where the card names none), the digest
    that identifies its forecasts, and the climatology that training took off where there is one."""

    card: ModelCard
    forecaster: dict[str, "Tensor"]
    interpolator: dict[str, "Tensor"]
    digest: str
    background: "Background | None" = None


def list_checkpoints(dataset: str | None = None) -> tuple[str, ...]:
    """Names of the checkpoints that come with the project, the data set's default ("<dataset>-fast") first.

    Raises: CheckpointError if one of them has a bad card.
    """
    folder = checkpoints_dir()
    names = sorted(path.parent.name for path in folder.glob(f"*/{CARD_FILE}")) if folder.is_dir() else []
    cards = [card for card in map(load_card, names) if dataset in (None, card.dataset)]
    return tuple(card.name for card in sorted(cards, key=lambda card: (card.name != f"{card.dataset}-fast", card.name)))


def load_card(name_or_folder: str | Path) -> ModelCard:
    """Read a model card by the checkpoint's name, or by its folder (a Path, or text with a separator in it).

    Raises: CheckpointError if there is none or it is not a card of this version.
    """
    folder = checkpoint_folder(name_or_folder)
    try:
        text = (folder / CARD_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        raise CheckpointError(_unknown(name_or_folder)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"The model card of {name_or_folder} cannot be read ({error}).") from error
    card = ModelCard.from_json(text)
    if folder.parent == checkpoints_dir() and card.name != folder.name:
        raise CheckpointError(f"The model card in folder {folder.name} calls itself {card.name}; rename one of them.")
    return card


def load_checkpoint(name_or_folder: str | Path) -> Checkpoint:
    """Read a checkpoint and verify its weights against the card; weights come back as float32 on the CPU.

    Raises: CheckpointError if it is missing, damaged, too old or foreign.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load

    card = load_card(name_or_folder)
    try:
        data = (checkpoint_folder(name_or_folder) / WEIGHTS_FILE).read_bytes()
    except OSError as error:
        raise CheckpointError(f"The weights of {card.name} cannot be read ({error}).") from error
    if hashlib.sha256(data).hexdigest() != card.weights_sha256:
        raise CheckpointError(
            f"The weights of {card.name} do not have the sha256 that its card states; fetch or save them again."
        )
    try:
        tensors = load(data)
    except SafetensorError as error:
        raise CheckpointError(f"The weights of {card.name} are not a safetensors file ({error}).") from error
    parts = {part: _part(tensors, part) for part in ("forecaster", "interpolator")}
    fitted = _part(tensors, "background")
    wanted = [parts["forecaster"]] if card.interpolator is None else list(parts.values())
    if not all(wanted) or sum(map(len, wanted)) + len(fitted) != len(tensors):
        names = "forecaster.*" if card.interpolator is None else "forecaster.*, interpolator.*"
        raise CheckpointError(f"The weights of {card.name} must be named {names} and background.*, nothing else.")
    return Checkpoint(card, parts["forecaster"], parts["interpolator"], card.digest, _background(card, tensors))


def count_weights(name_or_folder: str | Path) -> dict[str, int]:
    """How many numbers each part of a checkpoint has, read from the head of its file.

    Raises: CheckpointError if it is missing or damaged.
    """
    from safetensors import SafetensorError, safe_open

    counts = {"forecaster": 0, "interpolator": 0}
    try:
        with safe_open(checkpoint_folder(name_or_folder) / WEIGHTS_FILE, framework="np") as weights:
            for name in weights.keys():  # noqa: SIM118 (it is no dict)
                part = name.partition(".")[0]
                counts[part] = counts.get(part, 0) + math.prod(weights.get_slice(name).get_shape())
    except (OSError, SafetensorError) as error:
        raise CheckpointError(f"The weights of {name_or_folder} cannot be read ({error}).") from error
    return {part: count for part, count in counts.items() if part != "background"}


def save_checkpoint(
    folder: Path,
    card: ModelCard,
    forecaster: Mapping[str, "Tensor"],
    interpolator: Mapping[str, "Tensor"],
    *,
    background: "Background | None" = None,
    half: bool = False,
) -> ModelCard:
    """Write the weights, then the card that vouches for them, each in one rename; returns the final card.

    A crash in between leaves a card that does not fit the weights, which loading refuses. `half` stores
    kernels and matrices as float16; vectors (biases, norms, running statistics) and the background, the climatology
    that training took off, stay float32.

    Raises: CheckpointError if a weight is not finite, or not representable in half precision.
    """
    import torch
    from safetensors.torch import save

    tensors = {
        f"{part}.{name}": _stored(f"{part}.{name}", tensor, half=half)
        for part, state in (("forecaster", forecaster), ("interpolator", interpolator))
        for name, tensor in state.items()
    }
    if background is not None:
        for name in ("coefficients", "scale"):
            field = torch.from_numpy(getattr(background, name))
            tensors[f"background.{name}"] = _stored(f"background.{name}", field, half=False)
    data = save(tensors)
    card = replace(
        card, weights_sha256=hashlib.sha256(data).hexdigest(), weights_dtype="float16" if half else "float32"
    )
    text = card.to_json()
    ModelCard.from_json(text)  # nothing is written that could not be read back
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / WEIGHTS_FILE, data)
    _write(folder / CARD_FILE, text.encode("utf-8"))
    return card


def save_defaults(name_or_folder: str | Path, defaults: Defaults) -> ModelCard:
    """Give a checkpoint's card other request defaults, in one rename; weights and digest stay. Returns the card.

    Raises: CheckpointError if there is no such checkpoint or its card is not one of this version.
    """
    card = replace(load_card(name_or_folder), defaults=defaults)
    _write(checkpoint_folder(name_or_folder) / CARD_FILE, card.to_json().encode("utf-8"))
    return card


def checkpoint_folder(name_or_folder: str | Path) -> Path:
    """Where a checkpoint lies, by its name or its folder. Raises CheckpointError for what is no name."""
    if isinstance(name_or_folder, Path) or os.sep in name_or_folder:
        return Path(name_or_folder)
    if not _NAME.fullmatch(name_or_folder):
        raise CheckpointError(_unknown(name_or_folder))
    return checkpoints_dir() / name_or_folder


def _unknown(name: str | Path) -> str:
    folder = checkpoints_dir()
    known = sorted(path.parent.name for path in folder.glob(f"*/{CARD_FILE}")) if folder.is_dir() else []
    return f"There is no checkpoint {str(name)!r}; there are: {', '.join(known) or 'none'}."


def _part(tensors: Mapping[str, "Tensor"], part: str) -> dict[str, "Tensor"]:
    prefix = f"{part}."
    return {
        name.removeprefix(prefix): tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
        if name.startswith(prefix)
    }


def _background(card: ModelCard, tensors: Mapping[str, "Tensor"]) -> "Background | None":
    from engine.datasets.background import Background

    fitted = _part(tensors, "background")
    if not fitted:
        return None
    if set(fitted) != {"coefficients", "scale"} or fitted["coefficients"].shape[1:] != fitted["scale"].shape:
        raise CheckpointError(f"The background of {card.name} must be coefficients and scale; save it again.")
    fields = {name: tensor.numpy() for name, tensor in fitted.items()}
    return Background(fields["coefficients"], fields["scale"], str(card.training.get("baseline", "")))


def _stored(name: str, tensor: "Tensor", *, half: bool) -> "Tensor":
    # clone: safetensors refuses tensors that share memory
    stored = tensor.detach().cpu().contiguous().clone()
    if not stored.is_floating_point():
        return stored
    stored = stored.half() if half and stored.ndim > 1 else stored.float()
    if not stored.isfinite().all():
        raise CheckpointError(f"Weight {name} is not finite{' in half precision' if half else ''}; it was not saved.")
    return stored


def _write(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o644)  # mkstemp makes it private; a checkpoint is as readable as its neighbours
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


class _Fields:
    """A JSON object whose fields are taken one by one, with their types, until none is left."""

    def __init__(self, what: str, fields: dict[str, Any]) -> None:
        self.what = what
        self.fields = dict(fields)

    def take(self, name: str, kind: type[_T]) -> _T:
        if name not in self.fields:
            raise CheckpointError(f"The {self.what} has no field {name!r}; save the checkpoint again.")
        value = self.fields.pop(name)
        if type(value) is not kind:  # not isinstance: True is no count
            raise CheckpointError(f"Field {name!r} of the {self.what} must be a {kind.__name__}, not {value!r}.")
        return value

    def take_exactly(self, name: str, expected: str | int) -> None:
        value = self.take(name, type(expected))
        if value != expected:
            raise CheckpointError(f"The {self.what} has {name} {value!r}; this version reads {expected!r} only.")

    def take_count(self, name: str, *, least: int) -> int:
        value = self.take(name, int)
        if value < least:
            raise CheckpointError(f"Field {name!r} of the {self.what} must be at least {least}, not {value}.")
        return value

    def take_choice(self, name: str, choices: tuple[str, ...]) -> str:
        value = self.take(name, str)
        if value not in choices:
            raise CheckpointError(
                f"Field {name!r} of the {self.what} must be one of {', '.join(choices)}, not {value!r}."
            )
        return value

    def take_none(self, name: str) -> bool:
        """Whether the field is there and null; it is then taken."""
        if self.fields.get(name, "") is not None:
            return False
        del self.fields[name]
        return True

    def take_numbers(self, name: str) -> tuple[float, ...]:
        values = self.take(name, list)
        if not all(type(value) in (int, float) and math.isfinite(value) for value in values):
            raise CheckpointError(f"Field {name!r} of the {self.what} must be a list of numbers, not {values!r}.")
        return tuple(map(float, values))

    def open(self, name: str) -> "_Fields":
        return _Fields(f"{self.what}'s {name}", self.take(name, dict))

    def close(self) -> None:
        if self.fields:
            unknown = ", ".join(map(repr, self.fields))
            raise CheckpointError(f"The {self.what} has unknown field(s) {unknown}; it is from another version.")


def _parse(text: str) -> dict[str, Any]:
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"The model card is not JSON ({error}).") from error
    if not isinstance(fields, dict):
        raise CheckpointError(f"The model card must be a JSON object, not a {type(fields).__name__}.")
    return fields


def _network(fields: _Fields) -> NetworkCard:
    network = NetworkCard(family=fields.take("family", str), config=fields.take("config", dict))
    fields.close()
    return network


def _normalization(fields: _Fields) -> Normalization:
    result = Normalization(mean=fields.take_numbers("mean"), std=fields.take_numbers("std"))
    fields.close()
    if not result.mean or len(result.mean) != len(result.std) or min(result.std) <= 0:
        raise CheckpointError(
            f"The {fields.what} needs one mean and one positive std per channel, not {result.mean} and {result.std}."
        )
    return result


def _defaults(fields: _Fields) -> Defaults:
    result = Defaults(
        steps=fields.take_count("steps", least=1),
        members=fields.take_count("members", least=1),
        schedule=fields.take("schedule", str),
        solver=fields.take("solver", str),
        last_step=fields.take("last_step", str),
        noise=fields.take("noise", str),
        refine=fields.take("refine", bool),
        precision=fields.take("precision", str),
    )
    fields.close()
    return result
