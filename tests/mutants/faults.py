"""Faults to put into the code, one at a time, and the tests that should notice each."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Fault:
    """One wrong line in the place of a right one."""

    file: str
    old: str
    """What stands there, exactly once."""
    new: str
    tests: tuple[str, ...]


CONFIG: Final = ("tests/unit/core/test_config.py",)
LIMITS: Final = ("tests/unit/core/test_limits.py",)
RATES: Final = ("tests/unit/core/test_learning_rates.py",)
WARM_UP: Final = ("tests/unit/training/test_learning_rates.py",)
HISTORY: Final = ("tests/unit/core/test_history.py",)
PROBLEM: Final = ("tests/unit/problem",)
CONTROL: Final = ("tests/unit/training/test_control.py",)
LOOP: Final = ("tests/unit/training/loop",)
RANKS: Final = ("tests/unit/training/ddp/test_group.py", "tests/unit/training/ddp/test_variants.py")
SLOTS: Final = ("tests/unit/runs/test_slots.py",)
STORES: Final = ("tests/contract/test_stores.py",)
FIGURES: Final = ("tests/unit/charts",)
FINDINGS: Final = ("tests/unit/findings",)
FILES: Final = ("tests/unit/files",)
LINKS: Final = ("tests/unit/web/test_links.py",)
PASSPHRASE: Final = ("tests/unit/web/test_passphrase.py",)
PAGE_GUARD: Final = ("tests/unit/web/test_page_guard.py",)
REQUEST_GUARD: Final = ("tests/unit/web/test_request_guard.py",)

FAULTS: Final = (
    # Settings and plain values
    Fault(
        "dpdash/core/config.py",
        "self.global_batch_size is not None and self.global_batch_size > self.samples",
        "self.global_batch_size is not None and self.global_batch_size >= self.samples",
        CONFIG,
    ),
    Fault(
        "dpdash/core/config.py",
        "return repr(value) if isinstance(value, float) else str(value)",
        'return f"{value:g}" if isinstance(value, float) else str(value)',
        CONFIG,
    ),
    Fault(
        "dpdash/core/validation.py",
        'text[: MAX_RECEIVED_LENGTH - 1] + "…"',
        'text[:MAX_RECEIVED_LENGTH] + "…"',
        CONFIG,
    ),
    Fault(
        "dpdash/core/limits.py",
        'changes["global_batch_size"] = min(config.global_batch_size, samples)',
        'changes["global_batch_size"] = config.global_batch_size',
        LIMITS,
    ),
    Fault("dpdash/core/limits.py", "return low, min(high, self.samples)", "return low, high", LIMITS),
    Fault("dpdash/core/config.py", "if is_ddp or name not in DDP_ONLY", "if name not in DDP_ONLY", CONFIG),
    Fault("dpdash/core/learning_rates.py", "(epoch - 1) / num_epochs", "epoch / num_epochs", WARM_UP),
    Fault("dpdash/core/learning_rates.py", "epoch <= config.warmup_epochs", "epoch < config.warmup_epochs", RATES),
    Fault(
        "dpdash/core/linear_scaling.py",
        "rate * new_batch_size / batch_size",
        "rate * batch_size / new_batch_size",
        ("tests/unit/core/test_linear_scaling.py",),
    ),
    Fault(
        "dpdash/core/buckets.py",
        "self.last[:, :half] = self.last[:, right]",
        "self.last[:, :half] = self.last[:, left]",
        HISTORY,
    ),
    Fault("dpdash/core/buckets.py", "at[0] = extreme_epoch[index, merged]", "at[0] = epochs[0]", HISTORY),
    Fault(
        "dpdash/core/scales.py",
        "if step <= value), low)",
        "if step < value), low)",
        ("tests/unit/core/test_scales.py",),
    ),
    # The problem
    Fault(
        "dpdash/problem/model.py", "1 / math.sqrt(layer.in_features)", "1 / math.sqrt(layer.out_features)", PROBLEM
    ),
    Fault(
        "dpdash/problem/projection.py",
        "1 / len(xs) - mean_x * slope",
        "1 / len(xs) + mean_x * slope",
        PROBLEM,
    ),
    Fault(
        "dpdash/problem/preview.py",
        "whole = config.samples // size * size",
        "whole = config.samples",
        PROBLEM,
    ),
    # Training
    Fault(
        "dpdash/training/control.py",
        "self._stop_reason = self._stop_reason or reason",
        "self._stop_reason = reason",
        CONTROL,
    ),
    Fault("dpdash/training/control.py", "self._step_asked = self._paused", "self._step_asked = True", CONTROL),
    Fault(
        "dpdash/training/control.py",
        "self._due += self._interval",
        "self._due = now + self._interval",
        CONTROL,
    ),
    Fault("dpdash/training/loop/epoch_loop.py", "self._origin += self._clock() - began", "pass", LOOP),
    Fault(
        "dpdash/training/loop/epoch_loop.py",
        "now + max(CHECKPOINT_SECONDS, *spacing)",
        "now + CHECKPOINT_SECONDS",
        LOOP,
    ),
    Fault(
        "dpdash/training/loop/epoch_loop.py",
        "if self._num_kept == self._num_epochs:",
        "if self._num_kept > self._num_epochs:",
        LOOP,
    ),
    Fault("dpdash/training/loop/epoch.py", "np.float32(len(self._x) / 4)", "np.float32(len(self._x) / 2)", LOOP),
    Fault(
        "dpdash/training/learning_rates.py",
        "if value == self.current and not self.replays_after(num_epochs) and not self._rises_at(epoch):",
        "if value == self.current and not self._rises_at(epoch):",
        ("tests/unit/training/test_learning_rates.py",),
    ),
    Fault(
        "dpdash/training/ddp/group.py",
        "slowest = max(",
        "slowest = min(",
        RANKS,
    ),
    Fault(
        "dpdash/training/ddp/group.py",
        "RANK_GONE if self._launch.has_lost_one() else message.problem",
        "message.problem",
        RANKS,
    ),
    Fault(
        "dpdash/training/ddp/variants.py",
        "            own.train(data.x[few], data.y[few])\n",
        "",
        RANKS,
    ),
    Fault(
        "dpdash/training/ddp/variants.py",
        "self._ddp(config, ranks, noop_hook)",
        "self._ddp(config, ranks)",
        RANKS,
    ),
    Fault(
        "dpdash/training/ddp/exchange.py",
        "tensor += received",
        "tensor.copy_(received)",
        RANKS,
    ),
    Fault(
        "dpdash/training/ddp/shared_words.py",
        "all(self._counts[place] >= num_epochs",
        "any(self._counts[place] >= num_epochs",
        ("tests/unit/training/ddp/test_shared_words.py",),
    ),
    Fault(
        "dpdash/training/processes/pool.py",
        "process.num_at_full_speed if is_at_full_speed else 0",
        "0",
        ("tests/contract/test_training_processes.py::test_a_run_goes_to_the_process_with_the_least_to_do",),
    ),
    Fault(
        "dpdash/training/trace/stopwatch.py",
        "max(joined[at].start + joined[at].seconds, span.start + span.seconds)",
        "span.start + span.seconds",
        ("tests/unit/training/trace",),
    ),
    Fault(
        "dpdash/training/trace/turns.py",
        "num_steps < LEAST_STEPS or seconds < LONGEST_SECONDS",
        "seconds < LONGEST_SECONDS",
        ("tests/unit/training/trace",),
    ),
    Fault(
        "dpdash/findings/step.py",
        "slow.after.low > max(entry.after.high for entry in others)",
        "True",
        ("tests/unit/findings/test_step.py",),
    ),
    Fault(
        "dpdash/core/steps.py",
        "abs(step.seconds - middle)",
        "step.seconds",
        ("tests/unit/core/test_steps.py",),
    ),
    # Runs
    Fault(
        "dpdash/runs/slots.py", "self._queues[lane].index(run_id) + 1", "self._queues[lane].index(run_id)", SLOTS
    ),
    Fault("dpdash/runs/slots.py", "self._queues[lane].pop(0)", "self._queues[lane].pop()", SLOTS),
    Fault(
        "dpdash/runs/pace.py",
        "config.epochs / self.seconds",
        "self.seconds / config.epochs",
        ("tests/unit/runs/test_pace.py",),
    ),
    Fault(
        "dpdash/runs/presence.py",
        "        self._gone_since.pop(owner, None)\n",
        "",
        ("tests/unit/runs/test_presence.py",),
    ),
    Fault(
        "dpdash/runs/admission.py",
        "num_ranks = sum(map(_num_ranks, (*live, new)))",
        "num_ranks = sum(map(_num_ranks, live))",
        ("tests/unit/runs/test_admission.py",),
    ),
    Fault(
        "dpdash/runs/admission.py",
        "None if in_place_of is None or in_place_of.control.stop_reason else in_place_of",
        "in_place_of",
        ("tests/unit/runs/test_admission.py",),
    ),
    # The store
    Fault(
        "dpdash/store/rows.py",
        "sa.case((runs.c.best_loss < best, runs.c.best_loss), else_=best)",
        "best",
        STORES,
    ),
    Fault("dpdash/store/run_table.py", '"<=": number <= asked', '"<=": number < asked', STORES),
    Fault(
        "dpdash/store/query.py",
        "if len(found) > MOST_TAGS:",
        "if len(found) >= MOST_TAGS:",
        ("tests/unit/store/test_query.py",),
    ),
    Fault(
        "dpdash/store/writer.py",
        "self._cut_at[run_id] = item.first_epoch - 1",
        "self._cut_at[run_id] = item.first_epoch",
        ("tests/unit/store/test_faults.py",),
    ),
    # Studies and sweeps
    Fault(
        "dpdash/scaling/measure.py",
        "if number >= ALWAYS_MEASURED and self._seconds_of(with_it) > seconds:",
        "if self._seconds_of(with_it) > seconds:",
        ("tests/unit/scaling",),
    ),
    Fault(
        "dpdash/core/scaling/study.py",
        "rounds = min(turns[point, way] for point in finished for way in self.ways(point))",
        "rounds = max(turns[point, way] for point in finished for way in self.ways(point))",
        ("tests/unit/core/scaling",),
    ),
    Fault(
        "dpdash/sweeps/search.py",
        "NEVER if value is None else value",
        "0.0 if value is None else value",
        ("tests/unit/sweeps/test_search.py",),
    ),
    Fault(
        "dpdash/core/optimum.py",
        "config.noise / math.sqrt(spread)",
        "config.noise / spread",
        ("tests/unit/sweeps/test_objective.py",),
    ),
    # Findings
    Fault(
        "dpdash/findings/scaling/fits.py",
        "rise, loss = 1 - 1 / num, 1 / measured - 1 / num",
        "rise, loss = 1 - 1 / num, 1 / measured",
        FINDINGS,
    ),
    Fault(
        "dpdash/findings/suggestion.py",
        "1 / (2 * max(self.target.mean_square_x, 1.0))",
        "1 / max(self.target.mean_square_x, 1.0)",
        FINDINGS,
    ),
    Fault(
        "dpdash/findings/run.py",
        "run.chances.slower(0.5)",
        "run.chances.slower(0.1)",
        FINDINGS,
    ),
    Fault(
        "dpdash/findings/speed_up.py",
        "found.median - ERRORS * found.standard_error > replicas",
        "found.median - found.standard_error > replicas",
        FINDINGS,
    ),
    Fault(
        "dpdash/findings/scaling/parts.py",
        "Duration(_median(longer) - _median(shorter), ",
        "Duration(_nanoseconds(statistics.median(longer) - statistics.median(shorter)), ",
        FINDINGS,
    ),
    Fault(
        "dpdash/findings/scaling/parts.py",
        "_nanoseconds(float(np.std(with_it - without)))",
        "_nanoseconds(float(np.hypot(np.std(with_it), np.std(without))))",
        FINDINGS,
    ),
    Fault(
        "dpdash/findings/scaling/shown.py",
        "parts[part] = risen - shown",
        "parts[part] = _rounded(duration.nanoseconds, unit)",
        FINDINGS,
    ),
    Fault(
        "dpdash/findings/scaling/causes.py",
        "key=lambda part: (parts[part].is_lost_in_noise, -parts[part].nanoseconds)",
        "key=lambda part: -parts[part].nanoseconds",
        FINDINGS,
    ),
    # Figures
    Fault(
        "dpdash/charts/waterfall.py", "(level, level + duration.nanoseconds)", "(0, duration.nanoseconds)", FIGURES
    ),
    Fault("dpdash/charts/loss.py", '"y": log10(value)', '"y": value', FIGURES),
    Fault("dpdash/charts/loss.py", "for change in reversed(recent):", "for change in recent:", FIGURES),
    Fault(
        "dpdash/charts/fit.py",
        "SYMBOLS[(rank // NUM_SERIES + rank) % len(SYMBOLS)]",
        "SYMBOLS[rank % len(SYMBOLS)]",
        FIGURES,
    ),
    Fault("dpdash/charts/smoothing.py", "/ (2 * half + 1))", "/ window)", FIGURES),
    Fault(
        "dpdash/charts/overlay.py",
        "epochs.astype(np.float64) * config.samples",
        "epochs.astype(np.float64)",
        FIGURES,
    ),
    # Files and the command line
    Fault("dpdash/files/json_reader.py", "position=error.pos + 1", "position=error.pos", FILES),
    Fault("dpdash/files/tensorboard.py", "wall_time=began + seconds", "wall_time=began", FILES),
    Fault("dpdash/files/tables.py", "np.arange(block.first_epoch,", "np.arange(block.first_epoch - 1,", FILES),
    Fault("dpdash/cli/runs.py", "os.replace(unfinished, target)", "pass", ("tests/unit/cli/test_runs.py",)),
    Fault(
        "dpdash/cli/serve.py",
        """f"http://{f'[{host}]' if ':' in host else host}:{self.port}\"""",
        'f"http://{host}:{self.port}"',
        ("tests/unit/cli/test_serve.py",),
    ),
    Fault(
        "dpdash/cli/terminal.py",
        "signal.signal(number, before[number])",
        "pass",
        ("tests/unit/cli",),
    ),
    # The pages
    Fault("dpdash/web/links.py", "values[-1] for name", "values[0] for name", LINKS),
    Fault("dpdash/web/links.py", "rest = len(found) - MAX_PROBLEMS", "rest = len(found)", LINKS),
    Fault(
        "dpdash/findings/beside.py",
        "speed_up(measured.whole_cpu, measured.replicas)",
        "speed_up(measured.one_device, measured.replicas)",
        ("tests/unit/findings/test_beside.py",),
    ),
    # The server's guards
    Fault(
        "dpdash/web/request_guard.py",
        "(rest in LOCAL_CORE_PATHS and is_local(scope))",
        "rest in LOCAL_CORE_PATHS",
        REQUEST_GUARD,
    ),
    Fault(
        "dpdash/store/data_tables.py",
        "sa.delete(data_tables).where(data_tables.c.used_at < moment, ~of_a_run)",
        "sa.delete(data_tables).where(data_tables.c.used_at < moment)",
        STORES,
    ),
    Fault(
        "dpdash/core/config.py",
        "return TRUE_LINE if self.data is None else None",
        "return TRUE_LINE",
        ("tests/unit/core/test_own_data.py",),
    ),
    Fault(
        "dpdash/web/request_guard.py",
        'scope["method"] == "POST" and path_of(scope) in TAKING_PATHS',
        'scope["method"] == "POST"',
        REQUEST_GUARD,
    ),
    Fault(
        "dpdash/web/page_guard.py",
        "max(1, self._max_pages // 2)",
        "self._max_pages",
        PAGE_GUARD,
    ),
    Fault(
        "dpdash/web/page_guard.py",
        'urlsplit(origin).netloc == headers.get("host")',
        'urlsplit(origin).netloc.endswith(headers.get("host", ""))',
        PAGE_GUARD,
    ),
    Fault("dpdash/web/passphrase.py", "IPV6_HOME_PREFIX: Final = 64", "IPV6_HOME_PREFIX: Final = 128", PASSPHRASE),
    Fault(
        "dpdash/web/passphrase.py",
        "            for kind, name in tries:\n",
        "            for kind, name in tries[:1]:\n",
        PASSPHRASE,
    ),
    # A second list, chosen when the tests noticed all of the first
    Fault(
        "dpdash/core/limits.py",
        "return low, min(high, self.samples)",
        "return low, high",
        ("tests/unit/core/test_limits.py",),
    ),
    Fault(
        "dpdash/core/limits.py",
        'changes["global_batch_size"] = min(config.global_batch_size, samples)',
        'changes["global_batch_size"] = samples',
        ("tests/unit/core/test_limits.py",),
    ),
    Fault(
        "dpdash/core/limits.py",
        "limit=max(1, received * most_values // num_values)",
        "limit=received * num_values // most_values",
        (
            "tests/unit/core",
            "tests/unit/scaling",
            "tests/unit/runs/test_traces.py",
        ),
    ),
    Fault(
        "dpdash/core/network.py",
        "return (mapped or address).is_loopback",
        "return address.is_loopback",
        (
            "tests/unit/core",
            "tests/unit/web",
            "tests/unit/cli/test_serve.py",
        ),
    ),
    Fault(
        "dpdash/findings/scaling/fits.py",
        "share = float(rise @ loss / (rise @ rise))",
        "share = float(rise @ loss / rise.sum())",
        ("tests/unit/findings",),
    ),
    Fault(
        "dpdash/findings/scaling/verdict.py",
        "judged = (fair or clear)[-1]",
        "judged = (fair or clear)[0]",
        ("tests/unit/findings",),
    ),
    Fault(
        "dpdash/findings/scaling/verdict.py",
        "point.speed_up.median > 1 + _margin(point.speed_up))",
        "point.speed_up.median > 1 - _margin(point.speed_up))",
        ("tests/unit/findings",),
    ),
    Fault(
        "dpdash/findings/sweep.py",
        "return 1 / math.sqrt(2 * (self.num_seeds - 1))",
        "return 1 / math.sqrt(2 * self.num_seeds)",
        ("tests/unit/findings",),
    ),
    Fault(
        "dpdash/findings/sweep.py",
        "return self.learning_rate * batch_size / self.batch_size",
        "return self.learning_rate * self.batch_size / batch_size",
        (
            "tests/unit/findings",
            "tests/unit/charts",
        ),
    ),
    Fault(
        "dpdash/training/checkpoint.py",
        "if sum(tensor.nbytes for tensor in tensors.values()) > LARGEST_BYTES:",
        "if sum(tensor.nbytes for tensor in tensors.values()) > 0:",
        ("tests/unit/training/test_checkpoint.py",),
    ),
    Fault(
        "dpdash/training/checkpoint.py",
        "all(0 < rate < math.inf for rate in rates)",
        "all(0 <= rate for rate in rates)",
        ("tests/unit/training/test_checkpoint.py",),
    ),
    Fault(
        "dpdash/training/control.py",
        "self._interval = 1 / epochs_per_second",
        "self._interval = epochs_per_second",
        ("tests/unit/training/test_control.py",),
    ),
    Fault(
        "dpdash/training/loop/epoch.py",
        "self._gradient = gradient.mul_(2 / divisor)",
        "self._gradient = gradient.mul_(1 / divisor)",
        ("tests/unit/training/loop",),
    ),
    Fault(
        "dpdash/training/loop/epoch_loop.py",
        "self._origin = began - progress.seconds",
        "self._origin = began",
        (
            "tests/unit/training",
            "tests/contract/test_resuming.py",
        ),
    ),
    Fault(
        "dpdash/training/processes/pool.py",
        "self._num_threads = max(1, num_cores() // max(1, num_processes))",
        "self._num_threads = num_cores()",
        (
            "tests/contract/test_training_processes.py",
            "tests/unit/training",
        ),
    ),
    Fault(
        "dpdash/training/hardware.py",
        'sum(times.idle + getattr(times, "iowait", 0.0) for times in wanted)',
        "sum(times.idle for times in wanted)",
        ("tests/unit/training/test_hardware.py",),
    ),
    Fault(
        "dpdash/training/hardware.py",
        "return gpus if gpus >= 2 else max(MIN_CPU_REPLICAS, num_cores())",
        "return max(gpus, MIN_CPU_REPLICAS)",
        ("tests/unit/training",),
    ),
    Fault(
        "dpdash/runs/slots.py",
        "self._queues[lane].index(run_id) + 1",
        "self._queues[lane].index(run_id)",
        ("tests/unit/runs/test_slots.py",),
    ),
    Fault(
        "dpdash/runs/presence.py",
        "if now - since >= self._grace_seconds",
        "if now - since > 0",
        ("tests/unit/runs",),
    ),
    Fault(
        "dpdash/runs/visitors.py",
        "return max(shortest_interval(num_pages), min(interval, shortest_interval(num_pages / SHRINK_AT)))",
        "return shortest_interval(num_pages)",
        ("tests/unit/runs",),
    ),
    Fault(
        "dpdash/runs/library.py",
        "UNDO_SECONDS: Final = 24 * 3600.0",
        "UNDO_SECONDS: Final = 1.0",
        ("tests/unit/runs/test_library.py",),
    ),
    Fault(
        "dpdash/runs/library.py",
        "seconds_left = max(0.0, first + NOTICE_SECONDS - self._steady_clock())",
        "seconds_left = NOTICE_SECONDS",
        ("tests/unit/runs/test_library.py",),
    ),
    Fault(
        "dpdash/runs/pace.py",
        "return config.epochs / self.seconds if self.seconds is not None else self.rate_limit",
        "return config.epochs * self.seconds if self.seconds is not None else self.rate_limit",
        ("tests/unit/runs/test_pace.py",),
    ),
    Fault(
        "dpdash/runs/snapshot.py",
        "is_moving=not status.is_over and not (status is RunStatus.PAUSED and is_standing)",
        "is_moving=not status.is_over and status is not RunStatus.PAUSED",
        ("tests/unit/runs",),
    ),
    Fault(
        "dpdash/store/writer.py",
        "self._cut_at[run_id] = item.first_epoch - 1",
        "self._cut_at[run_id] = item.first_epoch",
        ("tests/unit/store",),
    ),
    Fault(
        "dpdash/store/rows.py",
        "follows = not parts or parts[-1].last_epoch + 1 == block.first_epoch",
        "follows = True",
        (
            "tests/unit/store",
            "tests/contract/test_stores.py",
        ),
    ),
    Fault(
        "dpdash/store/run_table.py",
        "if row.status in OVER and not row.is_pinned:",
        "if row.status in OVER:",
        ("tests/contract/test_stores.py",),
    ),
    Fault(
        "dpdash/store/run_table.py",
        "too_big -= RUN_BYTES + sizes.get(row.id, 0)",
        "too_big -= RUN_BYTES",
        ("tests/contract/test_stores.py",),
    ),
    Fault(
        "dpdash/store/resuming.py",
        "return event.epoch > epoch + 1",
        "return event.epoch > epoch",
        (
            "tests/contract/test_resuming.py",
            "tests/contract/test_stored_checkpoints.py",
            "tests/unit/runs/test_resuming.py",
        ),
    ),
    Fault(
        "dpdash/sweeps/objective.py",
        "return max(1, config.epochs * report // NUM_REPORTS)",
        "return max(1, config.epochs // NUM_REPORTS)",
        ("tests/unit/sweeps",),
    ),
    Fault(
        "dpdash/core/optimum.py",
        "spread = moments.num_samples * moments.var_x\n    return config.noise",
        "spread = moments.var_x\n    return config.noise",
        ("tests/unit/sweeps",),
    ),
    Fault(
        "dpdash/sweeps/search.py",
        "return trial is not None and trial.should_prune()",
        "return False",
        ("tests/unit/sweeps",),
    ),
    Fault(
        "dpdash/scaling/measure.py",
        "(self._deadline - self._clock()) / (one_round * SPARE)",
        "self._deadline / (one_round * SPARE)",
        ("tests/unit/scaling",),
    ),
    Fault(
        "dpdash/files/run_reader.py",
        "if block.first_epoch != self._num_epochs + 1:",
        "if block.first_epoch < self._num_epochs + 1:",
        ("tests/unit/files",),
    ),
    Fault(
        "dpdash/files/report.py",
        "differs = marks_differences and len(set(values)) > 1",
        "differs = marks_differences",
        ("tests/unit/files",),
    ),
    Fault(
        "dpdash/web/page_guard.py",
        "share = self._max_pages if is_local(scope) else max(1, self._max_pages // 2)",
        "share = self._max_pages",
        ("tests/unit/web/test_page_guard.py",),
    ),
    Fault(
        "dpdash/web/rate_limit.py",
        "return Allowance(self.at_once * number, self.seconds / number)",
        "return Allowance(self.at_once * number, self.seconds)",
        ("tests/unit/web",),
    ),
    Fault(
        "dpdash/web/turns.py",
        "if self._at_it[name] >= self._each or self._at_it.total() >= self._together:",
        "if self._at_it[name] >= self._each:",
        ("tests/unit/web/test_turns.py",),
    ),
    Fault(
        "dpdash/ui/parts/metrics.py",
        "busy = sum(size > 0 for size in shard_sizes)",
        "busy = len(shard_sizes)",
        ("tests/unit/ui/parts/test_metrics.py",),
    ),
    Fault(
        "dpdash/web/links.py",
        "if len(values) > 1 and name in KNOWN",
        "if len(values) > 2 and name in KNOWN",
        ("tests/unit/web/test_links.py",),
    ),
    Fault(
        "dpdash/charts/overlay.py",
        "return epochs.astype(np.float64) * config.samples",
        "return epochs.astype(np.float64)",
        ("tests/unit/charts",),
    ),
    Fault(
        "dpdash/charts/smoothing.py",
        "half = np.minimum(window // 2, np.minimum(at, len(logs) - 1 - at))",
        "half = np.minimum(window // 2, at)",
        ("tests/unit/charts",),
    ),
    Fault(
        "dpdash/charts/step.py",
        '"range": [0, MILLISECONDS * longest_seconds * 1.02]',
        '"range": [0, longest_seconds * 1.02]',
        ("tests/unit/charts",),
    ),
)
