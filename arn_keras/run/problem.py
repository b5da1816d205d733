"""One problem at work: a scenario on its data, the stages of Algorithm 1, each trained or loaded.

This is the one place that says what each stage is trained from. The main job, a sweep's workers,
the audit and the export differ in where stages are kept, and say so by `load`.
"""

import copy
import dataclasses
import functools

from arn_keras.measure.air import Air
from arn_keras.measure.evaluation import Evaluation
from arn_keras.pair.arn import build_receiver_arn, build_transmitter_arn
from arn_keras.pair.power_kept import keep_power
from arn_keras.rooms import answer
from arn_keras.run import channels, stages
from arn_keras.run.given import check_tokens
from arn_keras.run.stages import ARN, LINK, MODULES
from arn_keras.task import TASKS
from arn_keras.training import algorithm_1, reach
from arn_keras.training.transmit import transmit


class Problem:
    """A scenario, its data and a configuration.

    Args:
        config: `run.config.Config`, resolved.
        dataset: `data.dataset.Dataset`.
        load: function from a stage, "link" or "arn/white", to its models by name; called once each.
        shards: parts of a batch of the ARN stage that are computed side by side.
        verbose: as in `keras.Model.fit`.
        say: called with a line for the user.
        watch: function from this object and a stage to the Keras callbacks that watch it.

    Attributes:
        task: what Bob is judged by, `task.task.Task`.
        channels: what Bob and Eve hear through, as `run.channels.channels` gives it.
    """

    def __init__(
        self, config, dataset, load, *, shards=1, verbose=0, say=print, watch=lambda *_: ()
    ):
        self.config, self.dataset, self.scenario = config, dataset, config.problem
        self.task = answer(TASKS, self.scenario.task(dataset)).of(dataset)
        self.channels = channels.channels(config)
        self._load = functools.cache(load)
        self._shards, self._verbose = shards, verbose
        self._say, self._watch = say, watch

    def with_eve_at(self, eve_snr_offset_db):
        """This problem with all that is trained of it, and Eve at another offset of her SNR."""
        other = copy.copy(self)
        other.config = dataclasses.replace(self.config, eve_snr_offset_db=eve_snr_offset_db)
        other.channels = channels.channels(other.config)
        return other

    def with_pairs_told(self, snr_range_db):
        """This problem with all that is trained of it but the pairs, which are told the SNR."""
        other, config = copy.copy(self), self.config
        told = {"snr_db": snr_range_db, "snr_aware": True, "epochs": config.epochs_if_told}
        other.config = dataclasses.replace(config, **told)
        return other

    @property
    def transmitter(self):
        """The base link's transmitter, s -> y."""
        return self._link["transmitter"]

    @property
    def receiver(self):
        """The base link's receiver, y -> s_hat."""
        return self._link["receiver"]

    @functools.cached_property
    def _link(self):
        models = self._load(LINK)
        self.scenario.check_link(models, self.dataset)
        check_tokens(models["transmitter"], self.dataset)
        return models

    @property
    def signal_shape(self):
        """Shape of one source's signal."""
        return tuple(self.signals.shape[1:])

    def classifier(self, stage):
        """A classifier of what is overheard: Eve's, or a substitute that Alice trains."""
        return self._load(stage)["classifier"]

    def pair(self, knowledge):
        """The two ARNs trained against Eve ("white") or against substitutes ("black")."""
        return self.public(f"{ARN}/{knowledge}")

    def public(self, stage):
        """The modules of a stage of `pair.protection.Means`: ARNs, or others that were trained."""
        found = self._load(stage)
        return found["transmitter"], found["receiver"]

    @functools.cached_property
    def signals(self):
        """What the frozen transmitter puts out for every training source, computed once."""
        return self.transmit(self.dataset.train)

    def transmit(self, split):
        """What the frozen transmitter puts out for the sources of a split."""
        return transmit(self.transmitter, split.source, self.dataset.prepare)

    def evaluation(self, eve):
        """`Evaluation` of this link against the eavesdropper of a stage."""
        return Evaluation(
            self.transmitter,
            self.receiver,
            self.classifier(eve),
            algorithm_1.stage_seed(self.config.seed, "test"),
            dataset=self.dataset,
            task=self.task,
            pauses=self.scenario.pauses,
            air=self.air,
            **self.channels,
        )

    @property
    def air(self):
        """Makes a meter of what a modem sends, `measure.air.Air`; None for other signals."""
        return self.scenario.pulse and functools.partial(Air, *self.scenario.pulse)

    @property
    def rotation(self):
        """How keyed modules rotate a signal, `pair.keyed.Rotation`."""
        return self.scenario.rotation(self.config.rotation, self.signal_shape)

    @property
    def keeps_power(self):
        """Whether a pair sends the power of the plain link."""
        return self.config.keep_power or self.scenario.keeps_power

    def epochs(self, stage):
        """Passes over the training sources that a stage takes."""
        config = self.config
        of_link = config.link_epochs if self.scenario.trains_link else 0
        of_kind = {LINK: of_link, ARN: config.epochs, MODULES: config.epochs}
        return of_kind.get(stage.partition("/")[0], config.eve_epochs)

    def schedule(self, stage):
        """The `algorithm_1.Schedule` of a stage; XLA pays for pairs alone."""
        pair = stage.partition("/")[0] == ARN
        return algorithm_1.Schedule(
            epochs=self.epochs(stage),
            batch_size=self.config.batch_size,
            learning_rate=self.config.learning_rate,
            jit_compile=self.config.jit_compile and pair,
            shards=self._shards,
            devices=self.config.devices,
            verbose=self._verbose,
            say=self._say,
            watch=functools.partial(self._watch, self, stage),
        )

    def train(self, stage, checkpoint_dir=None):
        """Trains the models of a stage, or takes those that are given: {name: Keras model}.

        Args:
            stage: "link", "arn/white", that of other modules or of an eavesdropper.
            checkpoint_dir: where the state after each epoch is kept; None for nowhere.
        """
        return stages.train(self, stage, checkpoint_dir)

    def train_classifier(self, stage, signals, build=None, **how):
        """Trains a classifier on unprotected noisy signals (or on pictures, for Fig. 1)."""
        how = {"channel": self.channels["eve_channel"], **how}
        return algorithm_1.train_eavesdropper(
            stage,
            build or functools.partial(self.scenario.build_classifier, stage),
            signals,
            self.dataset.train.label,
            self.dataset.classes,
            self.schedule(stage),
            **how,
        )

    def train_reader(self, stage, pictures, snr_db):
        """Trains a reader of the private label off what Bob is to recover, under a little noise."""
        return self.train_classifier(
            stage,
            pictures,
            build=self.scenario.build_reader,
            snr_db=snr_db,
            seed=self.config.seed,
            checkpoint_dir=None,
            channel=None,  # a picture is not sent: a little white noise
        )

    def frozen(self, privacy):
        """The frozen models in a pair's loss: [transmitter, receiver, classifier, ...]."""
        rivals = self.scenario.in_loss(privacy.knowledge, privacy.black_box)
        return [self.transmitter, self.receiver, *map(self.classifier, rivals)]

    def modules(self, signal_shape=None):
        """The two ARNs before their training, (alice, bob), for the link's signals or others."""
        config, shape = self.config, signal_shape or self.signal_shape
        how = self.scenario.block_of(config.block, config.block_width, config.block_depth)
        how |= {"snr_db": config.snr_db} if config.snr_aware else {}
        heard = {"snr_db": config.snr_db, "csi": True} if config.csi_aware else {}
        silent = {"pauses": self.scenario.pauses, "limit": self.scenario.limit()}
        alice = build_transmitter_arn(shape, **silent, **how)
        return alice, build_receiver_arn(shape, **how | heard)

    def pair_link(self, privacy, frozen=None):
        """A link compiled for training pairs, any number of them, by `train_pair`.

        Args:
            privacy: `training.privacy.Privacy`.
            frozen: models in the place of `self.frozen(privacy)`, of the same architecture.
        """
        transmitter, receiver, *classifiers = frozen or self.frozen(privacy)
        return algorithm_1.build_pair_link(
            privacy,
            transmitter,
            receiver,
            classifiers,
            self.modules(),
            self.schedule(ARN),
            self.dataset,
            f"{ARN}/{privacy.knowledge}",
            task_loss=self.task.task_loss,
            task_weight=self.task.task_weight * (reach.TASK_SHARE if self.config.snr_aware else 1),
            weights=self.scenario.loss_weights,
            pauses=self.scenario.pauses,
            ensemble_weights=self.scenario.ensemble_weights,
            shares_budget=self.scenario.shares_budget,
            reach=reach.UNKNOWN if self.config.snr_aware else None,
            **self.channels,
        )

    def train_pair(self, link, stage, **how):
        """Trains the two ARNs of a link of `pair_link`, from their beginning."""
        watch = functools.partial(self._watch, self, stage)
        algorithm_1.train_pair(
            link,
            self.dataset.train,
            self.signals,
            dataclasses.replace(self.schedule(ARN), watch=watch),
            stage=stage,
            keep_power=self.keeps_power,
            **how,
        )

    def trained_modules(self, link):
        """The modules of a trained link as they are plugged in: {name: Keras model}."""
        alice = link.transmitter_arn
        return {
            "transmitter": keep_power(alice) if self.keeps_power else alice,
            "receiver": link.receiver_arn,
        }
