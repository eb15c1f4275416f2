#!/usr/bin/env python3
"""Takes a line out of the code, and sees a test fail: the proof that the tests notice.

    tests/mutants/mutants.py [NAME...]      all of them, or those whose name holds one of the words

Each mutant is one replacement in one file (or two, where either alone is harmless) and the test that must
fail with it. The tree is copied,
built once, and then mutated, rebuilt and tested in the copy. It fails if a replacement no longer
applies (its text must stand exactly once), does not compile, or if nothing notices it.
"""
import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEST_S = 180  # a mutant that hangs has been noticed


def unit(name):
    return f"build/tests/test_{name}", [f"build/tests/test_{name}"]


def histories(count):
    return "build/tidewheel", ["python3", "tests/model/histories.py", "--count", str(count), "--seed", "1"]


def sim(count):
    return "build/tests/sim", ["build/tests/sim", "--form", "checkpointed", "--count", str(count)]


# name, file, what stands there, what is put in its place, (what to build, the test that must fail)
MUTANTS = [
    ("tail by one hop", "include/tidewheel/window.h",
     "return floor_to(now_ms - window->length_ms, window->hop_ms);",
     "return floor_to(now_ms - window->length_ms, window->hop_ms) + window->hop_ms;", histories(60)),
    ("tail not rounded", "include/tidewheel/window.h",
     "return floor_to(now_ms - window->length_ms, window->hop_ms);",
     "return now_ms - window->length_ms;", histories(60)),
    ("head by one ms", "src/window/series.c",
     "    if (hop_ms == 0)\n        return false;\n    int64_t start_ms",
     "    if (hop_ms == 0 || ts_ms > now_ms)\n        return false;\n    int64_t start_ms", unit("series")),
    ("a merge left out", "src/window/series.c",
     "        bucket_merge(spec, words + at, head, acc);\n    }\n    to -=",
     "    }\n    to -=", unit("series")),
    ("the last merge wins", "src/window/op.c",
     "    words[0] += other[0];", "    words[0] = other[0];", unit("op")),
    ("a late event let in", "src/window/series.c",
     "|| ts_ms >= window_from(window, now_ms);", "|| ts_ms >= window_from(window, now_ms) - 1;",
     unit("series")),
    ("the next change an hour late", "src/window/series.c",
     "if (leave_ms < ret->next_ms)", "if (leave_ms > ret->next_ms)", unit("series")),
    ("min keeps the largest", "src/window/op.c",
     "[PART_MIN]   = {1, min_add,", "[PART_MIN]   = {1, max_add,", unit("op")),
    ("sums drop what does not fit", "src/window/op.c",
     "    z.hi = fast_two_sum(v, t_low + v_low, &z.lo);", "    z.hi = v;", unit("op")),
    ("sums overflow on the way", "src/window/op.c",
     "        if (fabs(z.hi) < SUM_LIMIT) /* false for what is not finite, too */\n            return z;",
     "        return z;", unit("op")),
    ("a timer fires once and never again", "src/state/shard.c",
     "            expire_set(entities->expire, number, next_ms);\n        }",
     "        }", unit("shard")),
    ("no timer after a write", "src/state/shard.c",
     "    expire_set(entities->expire, ref.number, is_gone ? as_of_ms + GONE_MS : next_ms);\n", "",
     unit("shard")),
    ("an empty entity is never forgotten", "src/state/shard.c",
     "    bool is_gone = next_ms == INT64_MAX;", "    bool is_gone = false;", unit("shard")),
    ("what has fallen to nothing is forgotten at once", "src/state/shard.c",
     "is_gone ? as_of_ms + GONE_MS : next_ms", "is_gone ? as_of_ms : next_ms", unit("worker")),
    ("known but empty is not said", "src/state/shard.c",
     "know == KNOW_MATCHED && (said & matched) != 0", "know == KNOW_MATCHED && false", unit("shard")),
    ("the clock goes back", "src/state/shard.c",
     "== CLOCK_WALL && shard->clock_ms[i] < wall_ms)", "== CLOCK_WALL)", unit("shard")),
    ("a change in silence is not said", "src/state/shard.c",
     "        entity->flags |= ENTITY_UNSAID;\n        return;",
     "        return;", unit("shard")),
    ("a loss is not said again", "src/state/shard.c",
     "    if (shard->is_live)\n        begin_pass(shard);\n}", "}", unit("shard")),
    ("generations begin anew unnoticed", "src/state/shard.c",
     "    if (shard->generation == 0)\n", "    if (false)\n", unit("shard")),
    ("offsets go while the pass is on", "src/state/shard.c",
     "return is_unsaid && shard->started_at < durable", "return false && shard->started_at < durable",
     unit("shard")),
    ("an event holds nothing", "src/state/shard.c",
     "    ledger_hold(&shard->ledger, ref, offset);\n}", "}", unit("shard")),
    ("a commit before the reply", "src/commit/ledger.c",
     "return ledger->in_flight < durable ? ledger->in_flight : durable;", "return durable;",
     unit("ledger")),
    ("held entities do not count", "src/commit/ledger.c",
     "held_at(ledger, 0)->offset < durable)", "held_at(ledger, 0)->offset < 0)", unit("ledger")),
    ("a commit goes back", "src/run/units.c",
     "    return durable > shard->ledger.committed ||", "    return durable != shard->ledger.committed ||",
     unit("worker")),
    ("the fence lifted early", "src/run/units.c",
     "shard->ledger.position < shard->live_at)", "shard->ledger.position + 1 < shard->live_at)",
     unit("worker")),
    ("whoever was put out does not call out", "src/run/units.c",
     "        worker->is_adrift = true;\n        worker->store->ops->call_out(worker->store);",
     "        worker->is_adrift = true;", unit("worker")),
    ("the alive count begins anew after a loss", "src/sink/alive.c",
     "    alive->count += BEYOND_DOUBT;", "    alive->count = BEYOND_DOUBT;", unit("redis_store")),
    ("an older Redis says nothing of when", "src/sink/plain.c",
     "        plain->events |= STORE_OLDER;", "        (void)0;", unit("redis_store")),
    ("what was forgotten is not read again", "src/run/units.c",
     "            worker->alive_ms = older_ms;", "            (void)0;", unit("worker")),
    ("a call-out is not heard", "src/sink/plain.c",
     "calls != plain->calls + plain->calls_said)", "false)", unit("redis_store")),
    ("a parked unit is read again", "src/run/units.c",
     "return shard == NULL ? -1 : shard->ledger.position;", "return -1;", unit("worker")),
    ("records are taken twice", "src/run/worker.c",
     "    if (record->offset < shard->ledger.position)\n        return;",
     "    if (false)\n        return;", unit("worker")),
    ("EXPIRE left out", "src/sink/batch.c",
     "    add_expire(batch, row->view->key_ttl_ms);\n", "", unit("batch")),
    ("fields that do not exist stay", "src/sink/batch.c",
     "    if (present == view->field_count)\n        return;", "    return;", unit("batch")),
    ("freshness without the newest event", "src/sink/batch.c",
     "bool has_newest = row->newest_ms >= 0;", "bool has_newest = false;", unit("batch")),
    ("a loss of Redis goes unnoticed", "src/sink/plain.c",
     "    plain->events |= STORE_LOST;", "", unit("redis_store")),
    ("a batch in doubt is not sent again", "src/sink/plain.c",
     "        write_again(plain, mono_ms);",
     "        plain->batch = NULL;", unit("redis_store")),
    ("a dropped unit is said again", "src/sink/plain.c",
     "    batch_trim(plain->batch);\n", "", unit("redis_store")),
    ("a key that is not ours expires", "src/sink/batch.c",
     "        add_undo(batch, &batch->undos[i]);\n", "", unit("batch")),
    ("a key that refused us is not remembered", "src/sink/plain.c",
     "            batch_undo(batch, i, exec->element[pttl]->integer);\n", "            (void)0;\n",
     unit("redis_store")),
    ("an undo outlives its unit", "src/sink/batch.c",
     "    batch->undo_count = kept;\n", "", unit("batch")),
    ("a lost connection is not told", "src/sink/plain.c",
     "    plain->events |= STORE_BROKE;\n", "", unit("redis_store")),
    ("a server that evicts is written to", "src/sink/link.c",
     "    if (!link->allows_eviction)\n", "    if (false)\n", unit("link")),
    ("a replica is spoken to", "src/sink/link.c",
     "slice_of(\"slave\")", "slice_of(\"none\")", unit("link")),
    ("what is due outlives its connection", "src/sink/link.c",
     "    link->due = 0;\n", "", unit("link")),
    ("an answer may be as long as it likes", "src/sink/link.c",
     "        if (link->reply_bytes >= REPLY_BYTES_MAX)\n", "        if (false)\n", unit("link")),
    ("a silent Redis is not away", "src/sink/link.c",
     "    if (is_waiting && mono_ms >= link->deadline_ms)\n", "    if (false)\n", unit("link")),
    ("a connection that failed is tried again at once", "src/sink/link.c",
     "mono_ms + link->back_off_ms +", "mono_ms +",
     unit("link")),
    ("what an arrival has left unsaid holds nothing", "src/state/shard.c",
     "        ledger_send(&shard->ledger, shard->started_at);\n", "        ;\n", unit("shard")),
    ("the timers of an event clock begin now", "src/state/shard.c",
     "== CLOCK_EVENT ? 0 : now_ms;", "== CLOCK_EVENT ? now_ms : now_ms;", unit("shard")),
    ("decays get nothing", "src/run/units.c",
     "gather_arrivals(worker, entities_max - quarter,", "gather_arrivals(worker, entities_max,",
     unit("worker")),
    ("a person's reset is not honoured", "src/source/assign.c",
     "        again = smaller(again, facts->committed);", "        again = wanted;", unit("assign")),
    ("no such record means the beginning", "src/source/assign.c",
     "    if (looked_up < 0)\n        return facts->log_end;",
     "    if (looked_up < 0)\n        return facts->log_start;", unit("assign")),
    ("the start forgets the reach", "src/source/assign.c",
     "return at_least_zero(at_least_zero(live_ms) - needs->reach_ms);",
     "return at_least_zero(live_ms);", unit("assign")),
    ("future events are let in", "src/decode/decode.c",
     "        return VERDICT_FUTURE;", "        (void)0;", unit("decode")),
    ("of a name given twice the last counts", "src/json/event_reader.c",
     "    reader->seen[node->seen] = reader->event;", "", unit("event_reader")),
    ("sim: reading goes on where Kafka says", "src/run/tenure.c",
     "    run_from(tenure, tenure->checkpoint.progress, judge_is_live(tenure));",
     "    run_from(tenure, tenure->plan.commit_at_least, judge_is_live(tenure));", sim(1000)),
    ("sim: no fence", "src/sink/fenced_take.c",
     "    fence->own[0] = '\\0';\n    if (fence->state != FENCE_HELD)\n",
     "    if (fence->state == FENCE_HELD)\n", sim(1000)),
    ("sim: nothing is watched", "src/sink/fenced_ask.c",
     "    words[0] = \"WATCH\";", "    words[0] = \"EXISTS\";", sim(4000)),
    ("sim: a fence without a sequence", "src/sink/fenced_take.c",
     "    else if (seq == fence->seq)\n", "    else if (seq >= 0)\n", sim(4000)),
    ("sim: no verification on reconnect", "src/sink/fenced_ask.c",
     "    if (!fenced->is_verified && ask_verify(fenced, mono_ms))\n        return;",
     "    (void)ask_verify;", sim(4000)),
    ("sim: blobs before features", ("src/commit/checkpoint.c", "src/commit/checkpoint.c"),
     ("return !shard->is_live || ledger_durable(&shard->ledger) >= checkpoint->position;",
      "        if (is_held) {"),
     ("return shard != NULL;", "        if (false) {"), sim(1000)),
    ("sim: a counter for a nonce", "src/sink/fenced_ask.c",
     "(unsigned long long)high,\n                   (unsigned long long)low);",
     "(unsigned long long)(high & 0),\n                   (unsigned long long)(low & 0));", sim(1000)),
    ("sim: a rebuild without a reset", "src/commit/checkpoint.c",
     "    add_field(checkpoint, name, \"prog\", count);\n"
     "    add_number(checkpoint, kept->position, count);\n", "", sim(1000)),
    ("sim: what is counted already is not said again",
     ("src/state/shard.c", "src/commit/checkpoint.c"),
     ("    mark_changed(shard, (struct entity_ref){passage->view, passage->number}, offset);\n"
      "    return true;", "        if (is_held) {"),
     ("    return true;", "        if (false) {"), sim(1000)),
    ("sim: what was applied is not remembered", "src/state/shard.c",
     "    if (entity == NULL || offset > entity->applied)\n", "    if (true)\n", sim(1000)),
    ("sim: a hash that is gone is not missed", "src/sink/loader_scan.c",
     "    bool is_whole = scan->has_sentinel || ", "    bool is_whole = true || ", sim(4000)),
    ("keys are not encoded", "src/route/key.c",
     "            to[used++] = '%';", "            to[used++] = '_';", unit("key")),
]


def copy_tree(to):
    files = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, check=True,
                           capture_output=True, text=True).stdout.split("\n")
    for name in filter(None, files):
        source = os.path.join(ROOT, name)
        if os.path.isfile(source):
            os.makedirs(os.path.dirname(os.path.join(to, name)), exist_ok=True)
            shutil.copy2(source, os.path.join(to, name))


def make(tree, *targets):
    return subprocess.run(["make", "-s", "-j2", "OPT=-O1", "WERROR=", *targets], cwd=tree, capture_output=True, text=True)


def run_test(tree, command):
    """True: it passed."""
    try:
        return subprocess.run(command, cwd=tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=TEST_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def edits(mutant):
    """(file, what stands there, what is put in its place) of each replacement: mostly one."""
    _, name, old, new, _ = mutant
    return [(name, old, new)] if isinstance(name, str) else list(zip(name, old, new))


def try_mutant(tree, mutant):
    """What is wrong with it, or None: it was noticed."""
    target, command = mutant[-1]
    before = {name: open(os.path.join(tree, name), encoding="utf-8").read() for name, *_ in edits(mutant)}
    after = dict(before)
    for name, old, new in edits(mutant):
        if after[name].count(old) != 1:
            return f"its text stands {after[name].count(old)} times in {name}"
        after[name] = after[name].replace(old, new)
    try:
        write(tree, after)
        built = make(tree, target)
        if built.returncode != 0:
            return "it does not compile: " + built.stderr.strip().split("\n")[0]
        return "nothing noticed it" if run_test(tree, command) else None
    finally:
        write(tree, before)


def write(tree, texts):
    for name, text in texts.items():
        with open(os.path.join(tree, name), "w", encoding="utf-8") as file:
            file.write(text)


def check_unmutated(tree, mutants):
    tests = {tuple(command): target for *_, (target, command) in mutants}
    built = make(tree, *sorted(set(tests.values())))
    if built.returncode != 0:
        sys.exit("the tree does not build:\n" + built.stderr)
    for command in tests:
        if not run_test(tree, list(command)):
            sys.exit("fails without any mutant: " + " ".join(command))


def main():
    words = sys.argv[1:]
    mutants = [m for m in MUTANTS if not words or any(word in m[0] for word in words)]
    failed = 0
    with tempfile.TemporaryDirectory(prefix="mutants-") as tree:
        copy_tree(tree)
        check_unmutated(tree, mutants)
        for number, mutant in enumerate(mutants, 1):
            problem = try_mutant(tree, mutant)
            failed += problem is not None
            print(f"{number:3}/{len(mutants)} {'noticed' if problem is None else 'FAILED '}  {mutant[0]}"
                  + (f": {problem}" if problem else ""), flush=True)
    print(f"mutants: {len(mutants) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
