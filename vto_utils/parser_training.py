"""Training and measuring the human parser: ``python -m vto_utils train-parser``.

A run is a folder. Killed at any moment and started again with ``--resume`` it goes on from its last checkpoint
and sees the same pictures as an unbroken run: a picture follows from the seed and its place in the row alone.

    OUT/config.json          what was asked for
    OUT/log.jsonl            one line a step, and one for every measurement
    OUT/ccp/                 poses and person masks of the photos
    OUT/checkpoints/         the last three: weights, their running mean, optimiser, step
    OUT/parser.safetensors   the running mean of the weights, float16: what is shipped
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import os
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader

from . import assets
from .body import BodyFrame, arm_chain, capsule, leg_chain
from .errors import InputError, NoPersonError
from .files import atomic_path
from .labels import ID
from .networks.parser import ParserConfig, ParserNet, enlarge, to_cihp
from .parser_data import CCP, UNKNOWN, ParserStream, Synthetic, frame_matrix, network_input, person_box
from .pose import Pose
from .runtime import pick_device

_KEEP = 3  # checkpoints

#: The measured classes and the CIHP-20 ids in each. Bags are background, as CIHP has them.
GROUPS = {
    "background": ("background",),
    "hair": ("hair",),
    "face": ("face",),
    "torso-skin": ("torso-skin",),
    "arms": ("left-arm", "right-arm"),
    "legs": ("left-leg", "right-leg"),
    "upper clothes": ("upper-clothes", "coat"),
    "lower clothes": ("pants", "skirt"),
    "dress": ("dress",),
    "shoes": ("left-shoe", "right-shoe"),
    "accessories": ("hat", "glove", "sunglasses", "scarf", "socks"),
}
CLOTHED_TORSO = ("upper-clothes", "coat", "dress")


@dataclass(frozen=True)
class ParserTrainConfig:
    """How to train. The defaults suit two processor cores."""

    size: tuple[int, int] = (256, 192)  # (height, width) of the pictures, multiples of 32
    batch: int = 8
    steps: int = 6000  # the learning rate reaches zero at the last
    learning_rate: float = 1e-3  # of the new layers, at its highest
    encoder_rate: float = 0.3  # of the encoder, as a share of that
    warm_up: float = 0.05  # share of the steps
    weight_decay: float = 0.02
    dice: float = 0.5  # weight of the soft Dice loss beside cross-entropy's 1
    average: float = 0.995  # decay of the running mean of the weights
    clip: float = 5.0  # greatest norm of the gradient
    synthetic_share: float = 0.25  # of the pictures, where there is CCP too
    seed: int = 0
    imagenet: bool = True  # start the encoder from ImageNet's weights
    network: ParserConfig = dataclasses.field(default_factory=ParserConfig)

    def __post_init__(self):
        object.__setattr__(self, "size", tuple(self.size))  # JSON gives lists and dicts
        if isinstance(self.network, dict):
            object.__setattr__(self, "network", ParserConfig(**self.network))
        if len(self.size) != 2 or min(self.size) < 32 or any(n % 32 for n in self.size):
            raise InputError(f"The size {self.size} cannot be used: height and width must be multiples of 32.")
        for name in ("batch", "steps"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be at least 1, not {getattr(self, name)}.")
        if not 0 <= self.synthetic_share < 1:
            raise InputError(f"synthetic_share must be at least 0 and below 1, not {self.synthetic_share}.")


# Losses -------------------------------------------------------------------------------------------


def soft_dice_loss(logits: Tensor, classes: Tensor, unknown: int = UNKNOWN) -> Tensor:
    """1 - the mean over the classes present in the batch of 2 |P T| / (|P| + |T|) (Milletari et al., 3DV 2016).

    Args:
        logits: [B, C, H, W].
        classes: [B, H, W] int64; ``unknown`` counts nowhere.
    """
    known = classes != unknown
    chances = logits.softmax(1) * known[:, None]
    truth = F.one_hot(classes.where(known, 0), logits.shape[1]).movedim(-1, 1) * known[:, None]
    both = (chances * truth).sum((0, 2, 3))
    sizes = (chances + truth).sum((0, 2, 3))
    present = truth.sum((0, 2, 3)) > 0
    return 1 - (2 * both / sizes.clamp(min=1))[present].mean() if present.any() else chances.sum() * 0


def parser_loss(logits: Tensor, classes: Tensor, dice: float) -> Tensor:
    """Cross-entropy over known pixels plus ``dice`` times the soft Dice loss; logits are enlarged first."""
    logits = enlarge(logits.float(), tuple(classes.shape[-2:]))
    known = (classes != UNKNOWN).sum().clamp(min=1)
    entropy = F.cross_entropy(logits, classes, ignore_index=UNKNOWN, reduction="sum") / known
    return entropy + dice * soft_dice_loss(logits, classes)


# Metric -------------------------------------------------------------------------------------------


class ParsingScore:
    """Counts pixels of predictions and truths, both CIHP-20 ids; truth UNKNOWN is left out, a bag is background."""

    def __init__(self) -> None:
        self.counts = np.zeros((len(ID), len(ID)), np.int64)  # [truth, prediction]

    def add(self, prediction: np.ndarray, truth: np.ndarray) -> None:
        """Count one photo; (H, W) uint8 each."""
        known = truth != UNKNOWN
        true, said = (np.where(x < len(ID), x, 0)[known].astype(np.int64) for x in (truth, prediction))
        pairs = np.bincount(true * len(ID) + said, minlength=len(ID) ** 2)
        self.counts += pairs.reshape(len(ID), len(ID))

    def _iou(self, names: Iterable[str]) -> float:
        ids = [ID[name] for name in names]
        both = self.counts[np.ix_(ids, ids)].sum()
        either = self.counts[ids].sum() + self.counts[:, ids].sum() - both
        return float(both / either) if either else math.nan

    def figures(self) -> dict[str, Any]:
        """IoU of every CIHP class and of every group, their mean, the clothed torso, pixel accuracy; NaN = absent."""
        groups = {group: self._iou(names) for group, names in GROUPS.items()}
        return {
            "mean_iou": float(np.nanmean(list(groups.values()))) if self.counts.any() else math.nan,
            "clothed_torso_iou": self._iou(CLOTHED_TORSO),
            # Left and right count as different, top and coat too.
            "pixel_accuracy": float(np.trace(self.counts) / max(self.counts.sum(), 1)),
            "groups": groups,
            "classes": {name: self._iou([name]) for name in ID},
        }


def predict(net: ParserNet, image: np.ndarray, alpha: np.ndarray, pose: Pose | None, size: tuple[int, int]):
    """Label a photo.

    Args:
        net: in evaluation mode.
        image: (H, W, 3) uint8 RGB.
        alpha: (H, W) uint8 person mask.
        pose: in pixels of the photo, or None.
        size: (height, width) the network sees.

    Returns:
        (H, W) uint8 CIHP-20 ids.
    """
    device = next(net.parameters()).device
    points = np.zeros((18, 3), np.float32) if pose is None else pose.keypoints
    matrix = frame_matrix(person_box(alpha, points), size)
    shrink = float(np.sqrt(abs(np.linalg.det(matrix[:, :2]))))
    soft = cv2.GaussianBlur(image, (0, 0), 0.4 / shrink) if shrink < 0.6 else image
    small = cv2.warpAffine(soft, matrix, size[::-1], flags=cv2.INTER_LINEAR, borderValue=(127, 127, 127))
    mask = cv2.warpAffine(alpha, matrix, size[::-1], flags=cv2.INTER_LINEAR)
    known = points[:, 2:] > 0
    moved = np.where(known, np.concatenate([points[:, :2] @ matrix[:, :2].T + matrix[:, 2], points[:, 2:]], 1), 0)
    x = torch.from_numpy(network_input(small, mask, moved.astype(np.float32)))[None].to(device)
    with torch.inference_mode():
        logits = net(x[:, : 3 + net.config.extra_channels])[0].float().cpu().numpy()
    # From a quarter of the size straight to the photo: pixel centres of a map four times coarser.
    coarse = matrix / 4
    coarse[:, 2] -= 0.375
    height, width = alpha.shape
    back = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    layers = [
        cv2.warpAffine(layer, coarse, (width, height), flags=back, borderMode=cv2.BORDER_REPLICATE) for layer in logits
    ]
    classes = np.stack(layers).argmax(0)
    inside = cv2.warpAffine(
        np.ones(size, np.uint8), matrix, (width, height), flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    )
    return to_cihp(np.where(inside > 0, classes, 0), *_left_sides(pose, (height, width)))


def _left_sides(pose: Pose | None, size: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Where the person's left arm is nearer than the right one, and the left leg; (H, W) bool each.

    Without a pose the person is taken to face the camera.
    """
    half = np.broadcast_to(np.arange(size[1]) >= size[1] / 2, size)
    try:
        if pose is None:
            return half, half
        frame = BodyFrame.from_pose(pose)
    except NoPersonError:
        return half, half
    unit, answers = frame.breadth, []
    for chain_of, radii in (
        (lambda side: arm_chain(pose, frame, side), (0.2, 0.16, 0.12, 0.14)),
        (lambda side: leg_chain(pose, side), (0.3, 0.2, 0.14, 0.16)),
    ):
        distances = []
        for side in ("left", "right"):
            chain, distance = chain_of(side), np.full(size, 99.0, np.float32)
            for k in range(len(chain) - 1):
                part = capsule(chain[k], chain[k + 1], (radii[k] * unit, radii[k + 1] * unit), size)
                distance = np.minimum(distance, part)
            distances.append(distance)
        answers.append(distances[0] <= distances[1])
    return answers[0], answers[1]


def evaluate(net: ParserNet, ccp: CCP, size: tuple[int, int], names: Iterable[str] | None = None) -> dict[str, Any]:
    """Measure a network on CCP's held-out photos; figures of :class:`ParsingScore`."""
    net.eval()
    return _evaluate(ccp, names, lambda image, alpha, pose: predict(net, image, alpha, pose, size))


def evaluate_rules(ccp: CCP, names: Iterable[str] | None = None) -> dict[str, Any]:
    """The same for :class:`~vto_utils.parsing.PersonParser`, which needs no weights."""
    from .parsing import PersonParser

    parser = PersonParser()

    def label(image: np.ndarray, alpha: np.ndarray, pose: Pose | None) -> np.ndarray:
        try:
            return np.zeros(alpha.shape, np.uint8) if pose is None else parser.parse(image, alpha, pose)
        except NoPersonError:
            return np.zeros(alpha.shape, np.uint8)

    return _evaluate(ccp, names, label)


def _evaluate(ccp: CCP, names: Iterable[str] | None, label: Callable) -> dict[str, Any]:
    score = ParsingScore()
    for name in ccp.test if names is None else names:
        example = ccp.read(name)
        score.add(label(example.image, example.alpha, ccp.found(name)[0]), example.labels)
    return score.figures()


# Training -----------------------------------------------------------------------------------------


class ParserTrainer:
    """A training run in a folder.

    Args:
        stream: gives the pictures; its length is taken to be the run's.
        config: how.
        folder: of the run.
        device: "auto", "cpu", "cuda" or "mps".
    """

    def __init__(self, stream: Any, config: ParserTrainConfig, folder: str | os.PathLike, device: str = "auto") -> None:
        self.stream, self.config, self.folder = stream, config, Path(folder)
        self.device = pick_device(device).value
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(config.seed)
            self.net = ParserNet(config.network)
        if config.imagenet:
            self.net.encoder.load_imagenet(assets.fetch("efficientnet-lite0"))
        self.net.to(self.device, memory_format=torch.channels_last).train()
        self.average = AveragedModel(self.net, multi_avg_fn=get_ema_multi_avg_fn(config.average))
        encoder = list(self.net.encoder.parameters())
        own = {id(p) for p in encoder}
        rest = [p for p in self.net.parameters() if id(p) not in own]
        groups = []
        for parameters, factor in ((encoder, config.encoder_rate), (rest, 1.0)):
            for plain in (False, True):  # norms and biases are not decayed
                chosen = [p for p in parameters if (p.ndim < 2) == plain]
                decay = 0.0 if plain else config.weight_decay
                groups.append({"params": chosen, "factor": factor, "weight_decay": decay})
        self.optimizer = torch.optim.AdamW(groups, lr=config.learning_rate)
        self.step = 0

    def rate(self, step: int) -> float:
        """Learning rate of a step, 0 the first: up in a line, down along a cosine."""
        config = self.config
        rise = max(1, round(config.warm_up * config.steps))
        if step < rise:
            return config.learning_rate * (step + 1) / rise
        return config.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, config.steps - rise)))

    def learn(self, x: Tensor, classes: Tensor) -> float:
        """One step on a batch; the loss before it."""
        rate = self.rate(self.step)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["factor"]
        x = x.to(self.device, memory_format=torch.channels_last)[:, : 3 + self.config.network.extra_channels]
        loss = parser_loss(self.net(x), classes.to(self.device).long(), self.config.dice)
        value = loss.item()
        if not math.isfinite(value):
            raise InputError(f"The loss is {value} at step {self.step + 1}: lower the learning rate.")
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.config.clip)
        self.optimizer.step()
        self.average.update_parameters(self.net)
        self.step += 1
        return value

    def batches(self, workers: int = 0) -> Iterator[tuple[Tensor, Tensor]]:
        """The batches from the present step to the last."""
        first, last = self.step * self.config.batch, self.config.steps * self.config.batch
        loader = DataLoader(
            self.stream, self.config.batch, sampler=range(first, last), num_workers=workers,
            prefetch_factor=4 if workers else None, worker_init_fn=_single_thread if workers else None,
        )  # fmt: skip
        return iter(loader)

    def fit(
        self,
        minutes: float = math.inf,
        save_every: float = 3.0,
        workers: int = 0,
        callbacks: Iterable[Callable[[ParserTrainer, float], None]] = (),
    ) -> list[float]:
        """Train until the last step, or for so many minutes; then, and in between, save.

        Args:
            minutes: after which to stop.
            save_every: minutes between checkpoints.
            workers: processes that make pictures; 0 makes them here.
            callbacks: told the trainer and the loss after every step.

        Returns:
            The losses of the steps done now.
        """
        callbacks, losses, started = list(callbacks), [], time.monotonic()
        saved = started
        self.folder.mkdir(parents=True, exist_ok=True)
        with open(self.folder / "log.jsonl", "a", encoding="utf-8") as log:
            for x, classes in self.batches(workers) if self.step < self.config.steps else ():
                losses.append(self.learn(x, classes))
                line = {"step": self.step, "loss": round(losses[-1], 5), "time": round(time.time(), 1)}
                log.write(json.dumps(line) + "\n")
                log.flush()
                for callback in callbacks:
                    callback(self, losses[-1])
                if time.monotonic() - saved > 60 * save_every:
                    self.save()
                    saved = time.monotonic()
                if time.monotonic() - started > 60 * minutes:
                    break
        self.save()
        return losses

    def save(self) -> Path:
        """Write a checkpoint and the weights to ship; all but the last three checkpoints go."""
        state = {
            "step": self.step,
            "config": json.dumps(dataclasses.asdict(self.config)),
            "net": self.net.state_dict(),
            "average": self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
        }
        path = self.folder / "checkpoints" / f"{self.step:07d}.pt"
        with atomic_path(path) as temporary:
            torch.save(state, temporary)
        for old in _checkpoints(self.folder)[:-_KEEP]:
            old.unlink(missing_ok=True)
        save_parser(self.folder / "parser.safetensors", self.average.module)
        return path

    def resume(self) -> bool:
        """Go on from the last checkpoint of the folder; False where there is none.

        Raises:
            InputError: the checkpoint is of another configuration, or damaged.
        """
        found = _checkpoints(self.folder)
        if not found:
            return False
        try:
            state = torch.load(found[-1], map_location="cpu", weights_only=True)
            config = ParserTrainConfig(**json.loads(state["config"]))
        except Exception as error:  # a damaged file can fail in any layer
            raise InputError(f"{found[-1]} is damaged: remove it, the one before it is used then.") from error
        if config != self.config:
            raise InputError(f"{self.folder} was begun with other settings: use the same ones, or another folder.")
        self.net.load_state_dict(state["net"])
        self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step = int(state["step"])
        self._cut_log()
        return True

    def _cut_log(self) -> None:
        """Drop the lines of steps after the checkpoint: they are done again."""
        path = self.folder / "log.jsonl"
        if not path.is_file():
            return
        kept = []
        for line in path.read_text(encoding="utf-8").splitlines():
            try:
                if json.loads(line)["step"] <= self.step:
                    kept.append(line + "\n")
            except (ValueError, KeyError):
                continue  # the line that was being written when the run was killed
        with atomic_path(path) as temporary:
            temporary.write_text("".join(kept), encoding="utf-8")


def _checkpoints(folder: Path) -> list[Path]:
    """Oldest first. What a killed process was writing has a name that begins with a dot."""
    return sorted((folder / "checkpoints").glob("[0-9]*.pt"))


def _single_thread(_: int) -> None:
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def save_parser(path: str | os.PathLike, net: ParserNet) -> None:
    """Write a network as float16 safetensors, its configuration among the metadata."""
    state = {name: t.detach().cpu().contiguous() for name, t in net.state_dict().items()}
    state = {name: t.half() if t.is_floating_point() else t for name, t in state.items()}
    metadata = {"format": "pt", "config": json.dumps(dataclasses.asdict(net.config))}
    with atomic_path(path) as temporary:
        temporary.write_bytes(safetensors.torch.save(state, metadata=metadata))


def load_parser(path: str | os.PathLike) -> ParserNet:
    """The network of :func:`save_parser`: float32, on the CPU, in evaluation mode.

    Raises:
        InputError: the file is missing, damaged or of another network.
    """
    try:
        with safetensors.safe_open(path, "pt") as file:
            config = ParserConfig(**json.loads(file.metadata()["config"]))
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 -- not a dict
        with torch.random.fork_rng(devices=[]):
            net = ParserNet(config)
        net.load_state_dict({name: t.float() if t.is_floating_point() else t for name, t in state.items()})
    except Exception as error:  # a damaged file can fail in any layer
        raise InputError(f"{path} holds no parser ({error}): copy it again, or train one.") from error
    return net.eval()


# The command line ---------------------------------------------------------------------------------


def run(options: argparse.Namespace) -> int:
    """``train-parser``."""
    out = Path(options.out).expanduser()
    ccp = None if options.ccp is None else CCP(options.ccp, out / "ccp")
    if ccp is not None:
        ccp.prepare(progress=True)
    synthetic = None if options.synth is None else Synthetic(options.synth)
    asked = {name: getattr(options, name) for name in ("size", "batch", "steps", "seed")}
    asked = {name: value for name, value in asked.items() if value is not None}
    if options.resume and (out / "config.json").is_file():  # what is not asked for stays as it was
        asked = json.loads((out / "config.json").read_text(encoding="utf-8")) | asked
    config = ParserTrainConfig(**asked)
    length = config.steps * config.batch
    stream = ParserStream(ccp, synthetic, config.size, config.seed, config.synthetic_share, length)
    trainer = ParserTrainer(stream, config, out, options.device)
    if options.resume:
        if trainer.resume():
            print(f"Going on after step {trainer.step}.", flush=True)
        else:
            print("There is no checkpoint yet: starting from the beginning.", flush=True)
    elif _checkpoints(out):
        raise InputError(f"{out} holds a run already: go on with --resume, or choose another folder.")
    with atomic_path(out / "config.json") as path:
        path.write_text(json.dumps(dataclasses.asdict(config), indent=2) + "\n", encoding="utf-8")
    started, first, recent = time.monotonic(), trainer.step, []

    def report(trainer: ParserTrainer, loss: float) -> None:
        recent.append(loss)
        if trainer.step % 20 == 0:
            speed = (time.monotonic() - started) / (trainer.step - first)
            mean = sum(recent) / len(recent)
            print(f"step {trainer.step}/{config.steps}  loss {mean:.4f}  {speed:.2f} s/step", flush=True)
            recent.clear()

    minutes = math.inf if options.minutes is None else options.minutes
    trainer.fit(minutes, workers=options.workers, callbacks=[report])
    print(f"Steps done: {trainer.step} of {config.steps}. The weights are in {out / 'parser.safetensors'}.", flush=True)
    if ccp is not None and options.evaluate:
        figures = evaluate(trainer.average.module, ccp, config.size)
        with open(out / "log.jsonl", "a", encoding="utf-8") as log:
            log.write(json.dumps({"step": trainer.step, "evaluation": figures}) + "\n")
        print(format_figures({"network": figures}))
    return 0


def format_figures(columns: dict[str, dict[str, Any]]) -> str:
    """Figures of several parsers side by side, for reading."""
    rows = [("IoU", *columns)]
    for key in GROUPS:
        rows.append((key, *(f"{figures['groups'][key]:.3f}" for figures in columns.values())))
    for key, title in (
        ("mean_iou", "mean"), ("clothed_torso_iou", "clothed torso"), ("pixel_accuracy", "pixel accuracy")
    ):  # fmt: skip
        rows.append((title, *(f"{figures[key]:.3f}" for figures in columns.values())))
    return "\n".join("  ".join(cell.ljust(16) for cell in row).rstrip() for row in rows)
