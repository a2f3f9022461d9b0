"""The part of a run that learns: everything the next step depends on, and that step.

What a step does follows from this state and the step's number alone: the samples from the seed and the step, the
learning rate from a formula, and the networks hold no random layers.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from .. import losses
from ..checkpoints import load_checkpoint
from ..errors import InputError
from ..networks import GMM, DiscriminatorConfig, GMMConfig, SynthesizerConfig, TryOnSynthesizer
from .adversary import Adversary
from .config import StageConfig, TrainConfig
from .data import Batch, on_device
from .precision import forward_format, gradient_scaler, pick_precision
from .processes import Processes
from .schedule import rate_factor, running_mean
from .stages import Networks, Result, compute, needs_perceptual

_OF_JUDGE = (0.0, 0.99)  # AdamW's betas for the discriminator, without momentum as in HR-VITON


@dataclasses.dataclass(frozen=True)
class Learned:
    """What a step found, before its update."""

    loss: float
    terms: dict[str, float]  # the loss's parts, unweighted
    rate: float  # learning rate
    gradient: float  # norm before it was clipped


class Learner:
    """Networks, their running means, optimisers, and the place in the run.

    Args:
        config: of the run.
        processes: this one among all.

    Attributes:
        stage: number of the stage, as many as there are when all is done.
        stage_step, step: steps done in the stage and in the run.
        notes: sentences a user should read.

    Raises:
        InputError: a setting cannot be used here, or ``start_from`` holds other networks.
    """

    def __init__(self, config: TrainConfig, processes: Processes) -> None:
        self.config, self.processes = config, processes
        self.precision = pick_precision(config.precision, processes.kind)
        self.channels_last = config.channels_last == "yes" or (
            config.channels_last == "auto" and processes.kind == "cuda"
        )
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(config.seed)
            self.networks = _networks(config)
            self.adversary = _adversary(config)
        self._place(self.networks)
        self.notes: list[str] = []
        if self.adversary is not None:
            self._place(self.adversary)
        self.perceptual: losses.PerceptualLoss | None = None
        if any(needs_perceptual(stage.trains, config.losses) for stage in config.stages):
            choice = losses.perceptual(config.perceptual, autocast=processes.kind == "cuda", progress=processes.main)
            self.perceptual = self._place(choice.value)
            self.notes.append(f"Perceptual distance: {choice.reason}.")
        self.stage, self.stage_step, self.step = 0, 0, 0
        self.halfway = False  # within an update of the weights
        self._begin_stage()

    def _place(self, module: nn.Module) -> nn.Module:
        layout = torch.channels_last if self.channels_last else torch.preserve_format
        return module.to(self.processes.device, memory_format=layout)

    # Stages -------------------------------------------------------------------------------------------

    @property
    def now(self) -> StageConfig:
        """The present stage; the last one when all are done."""
        return self.config.stages[min(self.stage, len(self.config.stages) - 1)]

    @property
    def finished(self) -> bool:
        return self.stage == len(self.config.stages)

    def _begin_stage(self) -> None:
        """Fresh optimisers and running means."""
        config, stage = self.config, self.now
        self.trained = self.networks.trained(stage.trains)
        self.networks.requires_grad_(False).eval()
        groups = []
        for name, network in self.trained.items():
            network.requires_grad_(True).train()
            share = stage.warp_rate if stage.trains == "joint" and name == "gmm" else 1.0
            groups += _groups(network, share, config.weight_decay)
        means = {name: running_mean(network, config.average) for name, network in self.trained.items()}
        self.means = nn.ModuleDict(means)
        self.optimizer = torch.optim.AdamW(groups, lr=stage.learning_rate, betas=(config.beta1, config.beta2))
        self.judge = None  # the discriminator's optimiser
        if stage.trains == "joint" and self.adversary is not None:
            groups = _groups(self.adversary, config.discriminator_rate, 0.0)
            self.judge = torch.optim.AdamW(groups, lr=stage.learning_rate, betas=_OF_JUDGE)
        self.scaler = gradient_scaler(self.precision.value, self.processes.kind)

    def end_stage(self) -> None:
        """The running means become the weights that the next stage builds on."""
        for name, network in self.trained.items():
            network.load_state_dict(self.means[name].module.state_dict())
        self.stage, self.stage_step = self.stage + 1, 0
        self._begin_stage()

    def averaged(self) -> Networks:
        """The networks with the running means in place of what is being trained: to use, and to measure."""
        chosen = (self.means[n].module if n in self.means else getattr(self.networks, n) for n in ("gmm", "tom"))
        return Networks(*chosen)

    # A step -------------------------------------------------------------------------------------------

    def learn(self, group: Sequence[Batch]) -> Learned:
        """One step on all batches of a group.

        Raises:
            InputError: the loss is not a number; nothing was updated.
        """
        stage = self.now
        rate = stage.learning_rate * rate_factor(self.stage_step, stage.steps, stage.warm_up, stage.final_rate)
        judging = self.judge is not None and self.stage_step >= stage.adversarial_from * stage.steps
        optimizers = [self.optimizer, self.judge] if judging else [self.optimizer]
        if judging:
            self.adversary.begin_step()
        for optimizer in optimizers:
            optimizer.zero_grad(set_to_none=True)
            for part in optimizer.param_groups:
                part["lr"] = rate * part["factor"]
        found: dict[str, Tensor] = {}
        for batch in group:
            for name, value in self._backward(self.moved(batch), judging, 1 / len(group)).items():
                found[name] = found.get(name, 0.0) + value.float() / len(group)
        values = self.processes.mean(torch.stack(list(found.values()))).tolist()  # waits for the device, once
        terms = dict(zip(found, values, strict=True))
        for name, value in terms.items():
            if not math.isfinite(value):
                raise InputError(
                    f"The loss is no number at step {self.step + 1} ({name}): begin a new run with a lower learning "
                    "rate, with start_from naming the folder of networks to go on from."
                )
        norm = self._update(optimizers)
        return Learned(terms.pop("loss"), terms, rate, norm)

    def compute(self, batch: Batch, networks: Networks | None = None) -> Result:
        """Forward pass of the present stage on a batch that lies on the device."""
        with forward_format(self.precision.value, self.processes.kind):
            networks = networks or self.networks
            return compute(self.now.trains, networks, batch, self.config.losses, self.perceptual)

    def moved(self, batch: Batch) -> Batch:
        """The batch on the device."""
        return on_device(batch, self.processes.device, self.channels_last)

    def _backward(self, batch: Batch, judging: bool, share: float) -> dict[str, Tensor]:
        """Add a batch's gradients, times its share of the step; its loss and terms."""
        result = self.compute(batch)
        with forward_format(self.precision.value, self.processes.kind):
            if judging:
                result = self.adversary.of_generator(batch, result, self.config.losses)
        self.scaler.scale(result.loss * share).backward()
        terms = {"loss": result.loss.detach(), **result.terms}
        if judging:
            with forward_format(self.precision.value, self.processes.kind):
                loss = self.adversary.of_discriminator(batch, result)
            self.scaler.scale(loss * share).backward()
            terms["discriminator"] = loss.detach()
        return terms

    def _update(self, optimizers: Sequence[torch.optim.Optimizer]) -> float:
        """One step of the optimisers; the norm of the first one's gradient."""
        self.halfway, norms = True, []
        for optimizer in optimizers:
            parameters = [p for part in optimizer.param_groups for p in part["params"]]
            self.processes.average_gradients(parameters)
            self.scaler.unscale_(optimizer)
            norms.append(nn.utils.clip_grad_norm_(parameters, self.config.clip or math.inf))
            self.scaler.step(optimizer)
        self.scaler.update()
        for name, mean in self.means.items():
            mean.update_parameters(self.trained[name])
        self.stage_step, self.step = self.stage_step + 1, self.step + 1
        self.halfway = False
        return float(norms[0])

    # Keeping ------------------------------------------------------------------------------------------

    def state(self) -> dict[str, Any]:
        """All of it, as ``torch.load(weights_only=True)`` reads it."""
        return {
            "identity": self._identity(),
            "stage": self.stage,
            "stage_step": self.stage_step,
            "step": self.step,
            "networks": self.networks.state_dict(),
            "means": self.means.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "adversary": None if self.adversary is None else self.adversary.state_dict(),
            "judge": None if self.judge is None else self.judge.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": torch.get_rng_state(),
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state` gave.

        Raises:
            InputError: it is of another run.
        """
        if state["identity"] != self._identity():
            changed = _differences(json.loads(state["identity"]), json.loads(self._identity()))
            raise InputError(
                f"The run was begun with other settings ({', '.join(changed[:3])}): use the same ones, or a new folder."
            )
        self.stage, self.stage_step, self.step = state["stage"], state["stage_step"], state["step"]
        self.networks.load_state_dict(state["networks"])
        self._begin_stage()
        self.means.load_state_dict(state["means"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.adversary is not None:
            self.adversary.load_state_dict(state["adversary"])
        if self.judge is not None:
            self.judge.load_state_dict(state["judge"])
        if self.scaler.is_enabled() and state["scaler"]:
            self.scaler.load_state_dict(state["scaler"])
        torch.set_rng_state(state["random"])

    def _identity(self) -> str:
        return json.dumps(self.config.identity(self.processes.world), sort_keys=True)


def _networks(config: TrainConfig) -> Networks:
    product = {"gmm": GMMConfig.product(), "tom": SynthesizerConfig.product()}
    built = {}
    for name, network in (("gmm", GMM), ("tom", TryOnSynthesizer)):
        try:
            built[name] = network(dataclasses.replace(product[name], **getattr(config, name)))
        except (TypeError, ValueError) as error:
            raise InputError(f"The settings of {name} cannot be used: {error}") from error
    networks = Networks(**built)
    if config.start_from:
        begun = load_checkpoint(config.start_from)
        for name in built:
            if getattr(begun, name).config != built[name].config:
                raise InputError(f"The {name} in {config.start_from} is built otherwise: give its settings as {name}.")
            built[name].load_state_dict(getattr(begun, name).state_dict())
    return networks


def _adversary(config: TrainConfig) -> Adversary | None:
    if not config.losses.adversarial or all(stage.trains != "joint" for stage in config.stages):
        return None
    try:
        return Adversary(DiscriminatorConfig(**config.discriminator))
    except (TypeError, ValueError) as error:
        raise InputError(f"The settings of the discriminator cannot be used: {error}") from error


def _groups(network: nn.Module, factor: float, decay: float) -> list[dict[str, Any]]:
    """Parameters for an optimiser: norms and biases are not decayed."""
    result = []
    for plain in (False, True):
        chosen = [p for p in network.parameters() if (p.ndim < 2) == plain]
        result.append({"params": chosen, "factor": factor, "weight_decay": 0.0 if plain else decay})
    return result


def _differences(one: Any, other: Any, name: str = "") -> list[str]:
    """Names of the settings in which two trees differ."""
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        one, other = (dict(enumerate(x)) for x in (one, other))
    if not (isinstance(one, dict) and isinstance(other, dict)):
        return [] if one == other else [name]
    keys = [*one, *(key for key in other if key not in one)]
    found = (_differences(one.get(key), other.get(key), f"{name}.{key}" if name else str(key)) for key in keys)
    return [difference for part in found for difference in part]
