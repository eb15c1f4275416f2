#!/usr/bin/env python3
"""Takes a line out of the code, and sees a test fail: the proof that the tests notice.

    tests/mutants/mutants.py [NAME...]      all of them, or those whose name holds one of the words

Each mutant is one replacement in one file (or two, where either alone is harmless) and the test that must
fail with it. The tree is copied once for each processor, built, and then mutated, rebuilt and tested in the
copies. It fails if a replacement no longer applies (its text must stand exactly once), does not compile,
or if nothing notices it.
"""
import os
import shutil
import subprocess
import sys
import tempfile
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TEST_S = 180  # a mutant that hangs has been noticed


def unit(name):
    return f"build/tests/test_{name}", [f"build/tests/test_{name}"]


def histories(count):
    return "build/tidewheel", ["python3", "tests/model/histories.py", "--count", str(count), "--seed", "1"]


def simulation(count):
    return "build/tests/sim", ["build/tests/sim", "--form", "checkpointed", "--count", str(count), "--jobs", "2"]


# name, file, what stands there, what is put in its place, (what to build, the test that must fail). One
# that takes out more than one place has lists of these.
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
     "        mark_all_unsaid(shard);\n    if (shard->is_live)\n        begin_pass(shard);\n}",
     "        mark_all_unsaid(shard);\n}", unit("shard")),
    ("generations begin anew unnoticed", "src/state/shard.c",
     "    if (shard->generation == 0)\n", "    if (false)\n", unit("shard")),
    ("offsets go while the pass is on", "src/state/shard_sums.c",
     "if (is_unsaid && shard->started_at < written)", "if (is_unsaid && shard->started_at < 0)",
     unit("shard")),
    ("an event holds nothing", "src/state/shard.c",
     "    ledger_hold(&shard->ledger, (struct held){ref, offset, record_ms});\n}", "}", unit("shard")),
    ("a commit before the reply", "src/commit/ledger.c",
     "return ledger->in_flight < written ? ledger->in_flight : written;", "return written;",
     unit("ledger")),
    ("held entities do not count", "src/commit/ledger.c",
     "held_at(ledger, 0)->offset < written)", "held_at(ledger, 0)->offset < 0)", unit("ledger")),
    ("a commit goes back", "src/run/units.c",
     "    bool is_due = durable > shard->ledger.committed ||",
     "    bool is_due = durable != shard->ledger.committed ||", unit("worker")),
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
     "return shard == NULL || worker->is_fenced ? -1 : shard->ledger.position;", "return -1;",
     unit("worker")),
    ("records are taken twice", "src/run/worker.c",
     "    if (record->offset < ledger->position)\n        return;",
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
    ("a key that refused us is not remembered", "src/sink/refused.c",
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
     "    run_from(tenure, tenure->plan.commit_at_least, judge_is_live(tenure));", simulation(1000)),
    ("sim: no fence", "src/sink/fenced_take.c",
     "    fence->own[0] = '\\0';\n    if (fence->state != FENCE_HELD)\n",
     "    if (fence->state == FENCE_HELD)\n", simulation(1000)),
    ("sim: nothing is watched", "src/sink/fenced_ask.c",
     "    words[0] = \"WATCH\";", "    words[0] = \"EXISTS\";", simulation(4000)),
    ("sim: a fence without a sequence", "src/sink/fenced_take.c",
     "    else if (seq == fence->seq)\n", "    else if (seq >= 0)\n", simulation(4000)),
    ("sim: no verification on reconnect", "src/sink/fenced_ask.c",
     "    if (!fenced->is_verified && ask_verify(fenced, mono_ms))\n        return;",
     "    (void)ask_verify;", simulation(4000)),
    ("sim: blobs before features", ("src/commit/checkpoint.c", "src/commit/checkpoint.c"),
     ("return !shard->is_live || ledger_written(&shard->ledger) >= checkpoint->position;",
      "        if (is_held) {"),
     ("return shard != NULL;", "        if (false) {"), simulation(1000)),
    ("sim: a counter for a nonce", "src/sink/fenced_ask.c",
     "(unsigned long long)high,\n                   (unsigned long long)low);",
     "(unsigned long long)(high & 0),\n                   (unsigned long long)(low & 0));", simulation(1000)),
    ("sim: a rebuild without a reset", "src/commit/checkpoint.c",
     "    add_field(checkpoint, name, \"prog\", count);\n"
     "    add_number(checkpoint, kept->position, count);\n", "", simulation(1000)),
    ("sim: what is counted already is not said again",
     ("src/state/shard.c", "src/commit/checkpoint.c"),
     ("    mark_changed(shard, (struct entity_ref){passage->view, passage->number}, offset,\n"
      "                 passage->routed->record_ms);\n    return true;", "        if (is_held) {"),
     ("    return true;", "        if (false) {"), simulation(1000)),
    ("sim: what was applied is not remembered", "src/state/shard.c",
     "    if (entity == NULL || offset > entity->applied)\n", "    if (true)\n", simulation(1000)),
    ("sim: a hash that is gone is not missed", "src/sink/loader_scan.c",
     "    bool is_whole = scan->has_sentinel || ", "    bool is_whole = true || ", simulation(4000)),
    ("keys are not encoded", "src/route/key.c",
     "            to[used++] = '%';", "            to[used++] = '_';", unit("key")),
    ("an event that comes again counts again", "src/state/shard.c",
     "offset > entity->applied)",
     "offset >= 0)", unit("shard_save")),
    ("the last event of a blob counts again", "src/state/shard.c",
     "offset > entity->applied)",
     "offset >= entity->applied)", unit("shard_save")),
    ("what comes again is not written again", "src/state/shard.c",
     "    mark_changed(shard, (struct entity_ref){passage->view, passage->number}, offset,\n"
     "                 passage->routed->record_ms);\n    return true;",
     "    return true;", unit("shard_save")),
    ("the last offset is not kept", "src/state/shard.c",
     "    entity->applied = offset;\n",
     "", unit("shard_save")),
    ("an event makes no blob dirty", "src/state/shard.c",
     "    entity->applied = offset;\n    shard_mark_dirty(shard, ref);",
     "    entity->applied = offset;", unit("shard_save")),
    ("a view that joins says nothing", "src/state/shard.c",
     "    shard->is_behind[view] = false;\n    if (shard->is_live)\n        begin_pass(shard);",
     "    shard->is_behind[view] = false;", unit("shard_save")),
    ("what was owed stays owed", "src/state/shard.c",
     "        shard_mark_dirty(shard, ref); /* its blob says that it is owed */\n",
     "", unit("shard_save")),
    ("who has nothing alive keeps its blob", "src/state/shard.c",
     "        shard_mark_dirty(shard, ref); /* it is forgotten with its blob */\n",
     "", unit("shard_save")),
    ("said moves past what is away", "src/state/shard.c",
     "if (shard->warmed < draining->asked || is_unsaid_yet(shard, view))",
     "if (is_unsaid_yet(shard, view))", unit("shard_cold")),
    ("said does not follow while anything is away", "src/state/shard.c",
     "shard->warmed == shard->asked ? now_ms : draining->upto_ms;",
     "shard->warmed == shard->asked ? now_ms : 0;", unit("shard_cold")),
    ("a cold entity's decay is passed by", "src/state/shard.c",
     "            if (!shard_has_buckets(shard, *ret))\n                continue;",
     "            if (false)\n                continue;", unit("shard_cold")),
    ("a blob never says that it is owed", "src/state/shard_save.c",
     ".flags = (entity->flags & SAY_OWED) != 0 ? SNAPSHOT_OWED : 0",
     ".flags = 0", unit("shard_save")),
    ("a refused entity owes nothing", "src/state/shard_save.c",
     "SAY_OWED = ENTITY_UNSAID | ENTITY_ASIDE",
     "SAY_OWED = ENTITY_UNSAID", unit("shard_save")),
    ("of what is restored nothing is due", "src/state/shard_save.c",
     "    if (is_owed || is_due)\n",
     "    if (is_owed)\n", unit("shard_save")),
    ("of what is restored nothing is owed", "src/state/shard_save.c",
     "    if (is_owed || is_due)\n",
     "    if (is_due)\n", unit("shard_save")),
    ("what is due after a restart waits for a tick", "src/state/shard_save.c",
     "next_ms == INT64_MAX ? OVERDUE : next_ms);",
     "is_due ? shard->clock_ms[ref.view] : next_ms);", unit("shard_save")),
    ("all that is restored was published now", "src/state/shard_save.c",
     "is_owed ? -1 : said_ms;",
     "is_owed ? -1 : shard->clock_ms[ref.view];", unit("shard_save")),
    ("a blob that is read twice is added twice", "src/state/shard_save.c",
     "        return 0; /* a scan may say things twice */",
     "        (void)0;", unit("shard_save")),
    ("what is no blob is known all the same", "src/state/shard_save.c",
     "        entities_remove(entities, ref.number);\n        return rc;",
     "        return rc;", unit("shard_save")),
    ("whoever is saved is forgotten", "src/state/shard_save.c",
     "    if (!is_nothing(shard, entity) || (entity->flags & ENTITY_DIRTY) != 0)\n        return;\n",
     "    (void)entity;\n", unit("shard_save")),
    ("nobody is ever nothing", "src/state/shard_save.c",
     "    return (entity->flags & (ENTITY_GONE | ENTITY_HELD | ENTITY_SENT)) == ENTITY_GONE &&",
     "    return false &&", unit("shard_save")),
    ("who is refused beside its blob is not owed", "src/state/shard_save.c",
     "flags & REFUSED) == REFUSED)",
     "flags & REFUSED) == 0)", unit("checkpoint")),
    ("what changes while it is saved is not saved again", "src/state/shard_save.c",
     "        entity->flags &= (uint16_t)~ENTITY_DIRTY;\n",
     "", unit("shard_save")),
    ("a blob goes without its features", "src/state/shard_save.c",
     "(entity->flags & (ENTITY_HELD | ENTITY_ASIDE)) == ENTITY_HELD;",
     "false;", unit("checkpoint")),
    ("said moves with the clock", "src/state/shard_save.c",
     "shard->said_ms[i] = shard->drained_ms[i];",
     "shard->said_ms[i] = shard->clock_ms[i];", unit("shard_save")),
    ("a stranger has no blob to be deleted", "src/state/shard_save.c",
     "    expire_set(entities->expire, ref.number, OVERDUE);\n    shard_mark_dirty(shard, ref);",
     "    expire_set(entities->expire, ref.number, OVERDUE);", unit("shard_save")),
    ("a checkpoint does not wait for cold ones", "src/state/shard_save.c",
     "        if (!shard_has_buckets(shard, *ret)) {",
     "        if (false) {", unit("shard_cold")),
    ("cold ones are written as they are", "src/state/shard_cold.c",
     "    if ((entity->flags & ENTITY_COLD) == 0)\n        return true;\n",
     "    if ((entity->flags & ENTITY_IN_USE) != 0)\n        return true;\n", unit("shard_cold")),
    ("a blob is asked for again and again", "src/state/shard_cold.c",
     "    entity->flags |= ENTITY_WANTED;\n",
     "", unit("shard_cold")),
    ("dirty ones are dropped", "src/state/shard_cold.c",
     "ENTITY_DIRTY |",
     "0 |", unit("shard_cold")),
    ("held ones are dropped", "src/state/shard_cold.c",
     "NOT_CLEAN = ENTITY_HELD |",
     "NOT_CLEAN = 0 |", unit("shard_cold")),
    ("views that are behind are dropped", "src/state/shard_cold.c",
     "!shard->is_behind[hand->view] && shard_cool_one",
     "shard_cool_one", unit("shard_cold")),
    ("a timer that went off while it was away is lost", "src/state/shard_cold.c",
     "    expire_set(entities->expire, ref.number, is_due ? 0 : next_ms);\n",
     "    (void)(is_due ? 0 : next_ms);\n", unit("shard_cold")),
    ("what was asked for is not asked for again", "src/state/shard_cold.c",
     "            if ((entity_at(entities, number)->flags & ENTITY_WANTED) != 0)",
     "            if (false)", unit("shard_cold")),
    ("blobs do not wait for features", "src/commit/checkpoint.c",
     "return !shard->is_live || ledger_written(&shard->ledger) >= checkpoint->position;",
     "return shard != NULL;", unit("checkpoint")),
    ("the progress is the position at the end", "src/commit/checkpoint.c",
     "    add_number(checkpoint, kept->saved, count);",
     "    add_number(checkpoint, shard->ledger.position, count);", unit("checkpoint")),
    ("the anchor is that of the end", "src/commit/checkpoint.c",
     "meta_anchor_write(&checkpoint->saved_anchor,",
     "meta_anchor_write(&checkpoint->anchor,", unit("checkpoint")),
    ("the next part does not wait", "src/commit/checkpoint.c",
     "    if (checkpoint->in_flight > 0)\n        return;\n",
     "", unit("checkpoint")),
    ("the progress comes before the last blobs", "src/commit/checkpoint.c",
     "checkpoint->phase == CHECKPOINT_BLOBS && has_blobs_left(checkpoint))",
     "checkpoint->phase == CHECKPOINT_BLOBS && false)", unit("checkpoint")),
    ("an empty blob is written", "src/commit/checkpoint.c",
     "head->len > 0 ? \"HSET\" : \"HDEL\"",
     "\"HSET\"", unit("checkpoint")),
    ("a silent view says what was said", "src/commit/checkpoint.c",
     "    if (!shard->is_live || shard->is_behind[view] || shard->said_ms[view] < 0)\n        return;\n",
     "", unit("checkpoint")),
    ("a progress leaves the count of claims", "src/commit/checkpoint.c",
     "    add_word(checkpoint, \"try\", &count);\n    add_number(checkpoint, 0, &count);\n",
     "", unit("checkpoint")),
    ("chunks are as long as they like", "src/commit/checkpoint.c",
     "    while (cost < most && batch",
     "    while (cost < 100000 && batch", unit("checkpoint")),
    ("a reset lays no sentinels", "src/commit/checkpoint.c",
     "        add_word(checkpoint, META_SENTINEL, &count);",
     "        add_word(checkpoint, \"?\", &count);", unit("checkpoint")),
    ("a reset leaves what a lost life had", "src/commit/checkpoint.c",
     "    add_word(checkpoint, \"UNLINK\",",
     "    add_word(checkpoint, \"EXISTS\",", unit("checkpoint")),
    ("a reset leaves what was said", "src/commit/checkpoint.c",
     "            add_field(checkpoint, checkpoint->shard->topic->views[i]->name, \"said\", "
     "&count);\n    if (is_whole)",
     "            add_field(checkpoint, checkpoint->shard->topic->views[i]->name, \"sad\", "
     "&count);\n    if (is_whole)", unit("checkpoint")),
    ("a reset forgets the generation before", "src/commit/checkpoint.c",
     "    if (kept->old_gen >= 0)\n",
     "    if (false)\n", unit("checkpoint")),
    ("a commit runs ahead of the progress", "src/run/tenure_batch.c",
     "tenure->commit_due = tenure->checkpoint.progress;",
     "tenure->commit_due = shard->ledger.position;", unit("tenure")),
    ("no last checkpoint", "src/run/tenure_batch.c",
     "bool is_last = (worker->is_ending && !tenure->has_ended) || tenure->leaving != LEAVING_NOT;",
     "bool is_last = false;", unit("tenure")),
    ("an idle unit gives no sign of life", "src/run/tenure_batch.c",
     "    if (worker->mono_ms - tenure->fence.touched_ms < BEAT_MS)\n",
     "    if (worker->mono_ms > 0)\n", unit("tenure")),
    ("a unit is read before its reset is durable", "src/run/tenure.c",
     "    set_state(tenure, TENURE_RESETTING);\n",
     "    set_state(tenure, TENURE_RESETTING);\n"
     "    worker->source->ops->begin(worker->source, tenure->unit, tenure->plan.again);\n", unit("tenure")),
    ("what was touched meanwhile is believed", "src/run/tenure.c",
     "tenure->unit->shard != NULL && tenure->fence.is_unchanged &&",
     "tenure->unit->shard != NULL &&", unit("tenure")),
    ("what was half loaded is kept", "src/run/tenure.c",
     "    if (tenure->state != TENURE_RUNNING && tenure->state != TENURE_PARKED)\n"
     "        drop_memory(tenure);\n",
     "", unit("tenure")),
    ("what was asked for before the park never comes", "src/run/tenure.c",
     "    shard_want_again(shard);\n",
     "", unit("tenure")),
    ("a unit that the fence refused is planned at once", "src/run/tenure.c",
     "        worker->mono_ms + REST_MS_MIN +",
     "        0 * REST_MS_MIN +", unit("tenure")),
    ("a unit that the fence refused keeps its memory", "src/run/tenure.c",
     "    if (tenure->fence.state == FENCE_LOST && tenure->state != TENURE_RESTING)\n"
     "        rest(tenure, \"the fence says no\");\n",
     "", unit("tenure")),
    ("what the log has lost leaves no mark", "src/run/tenure.c",
     "                open_cover(tenure, &tenure->checkpoint.kept[i]);\n", "                (void)i;\n",
     unit("tenure")),
    ("a view that begins on too short a log says nothing", "src/run/tenure.c",
     "    if (tenure->plan.wanted < tenure->plan.log_start)\n        open_cover(tenure, kept);\n", "",
     unit("tenure")),
    ("a person's wish is found again", "src/run/tenure.c",
     "        tenure->commit_due = tenure->unit->shard->ledger.position;\n",
     "        (void)0;\n", unit("tenure")),
    ("another log is believed", "src/run/tenure_take.c",
     "        if (!is_same) {",
     "        if (false) {", unit("tenure")),
    ("a view joins too early", "src/run/tenure_take.c",
     "    if (offset < shard->ledger.position)\n        return;\n",
     "", unit("tenure")),
    ("a lost unit writes", "src/run/units.c",
     "        if (!is_lost && !worker->has_failed)",
     "        if (!worker->has_failed)", unit("tenure")),
    ("another format is read", "src/run/tenure_judge.c",
     "found->format != META_FORMAT)",
     "found->format > 99)", unit("tenure")),
    ("another cluster is taken for ours", "src/run/tenure_judge.c",
     "strcmp(found->cluster, cluster) != 0)",
     "cluster[0] == '?')", unit("tenure")),
    ("another number of partitions is nothing", "src/run/tenure_judge.c",
     "found->partition_count != unit->partition_count)",
     "found->partition_count == 0)", unit("tenure")),
    ("a person's wish is not heard", "src/run/tenure_judge.c",
     "    if (tenure->plan.is_reset)\n",
     "    if (false)\n", unit("tenure")),
    ("a log that ends early is believed", "src/run/tenure_judge.c",
     "    if (joined > tenure->plan.live_at)\n",
     "    if (false)\n", unit("tenure")),
    ("a clock that ran ahead is believed", "src/run/tenure_judge.c",
     "    if (is_clock_ahead(tenure))\n",
     "    if (false && is_clock_ahead(tenure))\n", unit("tenure")),
    ("another definition is read", "src/run/tenure_judge.c",
     "strcmp(view->definition, definition) == 0 &&",
     "definition != NULL &&", unit("tenure")),
    ("a view that is behind is taken for joined", "src/run/tenure_judge.c",
     "known->progress < joined;",
     "known->progress < 0;", unit("tenure")),
    ("a generation is used again", "src/run/tenure_judge.c",
     "    kept->gen++;\n",
     "", unit("tenure")),
    ("a silent state is taken for live", "src/run/tenure_judge.c",
     "shard->said_ms[i] < 0)\n            return false;",
     "shard->said_ms[i] < 0)\n            return true;", unit("tenure")),
    ("old fields go before new ones are there", "src/run/clean.c",
     "            return shard->is_live && !shard->is_passing && !shard->is_behind[i];",
     "            return shard != NULL;", unit("tenure")),
    ("old fields stay", "src/run/clean.c",
     "    add_hdel(batch, buf_slice(&key), output->fields, output->field_count);\n",
     "", unit("tenure")),
    ("whom only the old state knew keeps its values", "src/run/clean.c",
     "        shard_know(tenure->unit->shard, heir, identity);\n", "        return;\n", unit("tenure")),
    ("an old state goes before whom it knew", "src/run/clean.c",
     "bool is_last = !has_more && cleaning->swept == before && is_kept(tenure);",
     "bool is_last = !has_more && cleaning->swept == before; (void)is_kept;", unit("tenure")),
    ("a lost unit stands still while Kafka is away", "src/run/tenure.h",
     "(tenure->state == TENURE_RUNNING || is_stranded);",
     "(tenure->state == TENURE_RUNNING || (is_stranded && false));", unit("tenure")),
    ("nothing is ever tried singly", "src/run/trial.c",
     "found->tries >= TRIES_MAX &&",
     "false &&", unit("tenure")),
    ("with nothing to read all is tried", "src/run/trial.c",
     " && tenure->plan.live_at > tenure->checkpoint.progress;",
     ";", unit("tenure")),
    ("an event that kills is never skipped", "src/run/trial.c",
     "trial->deaths >= DEATHS_MAX)",
     "trial->deaths >= 9999)", unit("tenure")),
    ("deaths are forgotten behind other events", "src/run/trial.c",
     "trial->offset == trial->died_at ? trial->deaths : 0",
     "0", unit("tenure")),
    ("what is tried is not noted before", "src/run/trial.c",
     "    trial->offset = record->offset;\n    worker->source",
     "    return true;\n    worker->source", unit("tenure")),
    ("a missing sentinel is passed by", "src/sink/loader_scan.c",
     "scan->has_sentinel || !",
     "true || !", unit("tenure")),
    ("nothing is watched", "src/sink/fenced_ask.c",
     "    words[0] = \"WATCH\";",
     "    words[0] = \"EXISTS\";", unit("fenced_store")),
    ("a batch does not raise seq", "src/sink/fenced_ask.c",
     "resp_command(&fenced->bytes, WORDS(\"HINCRBY\", fence->meta_key, \"seq\", \"1\"));",
     "resp_command(&fenced->bytes, WORDS(\"HINCRBY\", fence->meta_key, \"seq\", \"0\"));", unit("fenced_store")),
    ("a claim is not compared", "src/sink/fenced_take.c",
     "    if (!slice_is_equal(found, slice_of(fence->own)))",
     "    if (false && !slice_is_equal(found, slice_of(fence->own)))", unit("fenced_store")),
    ("any count will do after a reconnect", "src/sink/fenced_take.c",
     "fenced->exchange == VERIFY && fence->is_in_batch && is_next(seq, fence->seq))",
     "fenced->exchange == VERIFY)", unit("fenced_store")),
    ("nothing is verified after a reconnect", "src/sink/fenced_ask.c",
     "    if (!fenced->is_verified && ask_verify(fenced, mono_ms))\n        return;\n",
     "    (void)ask_verify;\n", unit("fenced_store")),
    ("dirty not renumbered", "src/state/shard_adopt.c",
     "    renumber_refs(&shard->dirty, numbers);\n",
     "", unit("shard_adopt")),
    ("held not renumbered", "src/state/shard_adopt.c",
     "    ledger_renumber(&shard->ledger, numbers);\n",
     "", unit("shard_adopt")),
    ("aside not renumbered", "src/state/shard_adopt.c",
     "    shard_renumber_aside(shard, numbers);\n",
     "", unit("shard_adopt")),
    ("a saving given up", "src/state/shard_adopt.c",
     "    give_back_saving(shard);\n",
     "    shard->saving.count = shard->saving_next = 0;\n", unit("shard_adopt")),
    ("wanted forgotten", "src/state/shard_adopt.c",
     "    count_wanted(shard);\n",
     "", unit("shard_adopt")),
    ("a new view not behind", "src/state/shard_adopt.c",
     "        shard->is_behind[i] = true;\n",
     "", unit("shard_adopt")),
    ("adopted with a batch in flight", "src/run/adopt.c",
     "    if (worker->is_sent && worker->mono_ms < worker->adopt_by_ms)\n        return 0;\n",
     "", unit("worker")),
    ("cleaning goes on as before", "src/run/adopt.c",
     "        clean_adopt(worker->tenures[i]);\n",
     "        (void)clean_adopt;\n", unit("tenure")),
    ("new views not begun", "src/run/tenure.c",
     "    begin_new_views(tenure);\n",
     "    (void)begin_new_views;\n", unit("tenure")),
    ("views go unsaved", "src/run/adopt.c",
     "    if (!worker->is_adopting && !have_left(worker, offer))\n        return 0;\n",
     "    (void)have_left;\n", unit("tenure")),
    ("nobody is planned again", "src/source/kafka_adopt.c",
     "        kafka_await_lookup(source, unit);\n",
     "", unit("kafka_adopt")),
    ("a lookup for nobody", "src/source/kafka_adopt.c",
     "    stop_idle_lookup(source);\n",
     "    (void)stop_idle_lookup;\n", unit("kafka_adopt")),
    ("all topics are the same", "src/config/catalog.c",
     "        if (view == NULL || !view_keeps_state(topic->views[i], view))\n            return false;\n",
     "        if (view == NULL)\n            return false;\n", unit("catalog")),
    ("an index given twice", "src/config/catalog.c",
     "            is_free = is_free && before->views[i]->index != index;\n",
     "", unit("catalog")),
    ("expiries stay", "src/config/catalog.c",
     "    before->key_ttl_ms = (*view)->key_ttl_ms;\n",
     "", unit("catalog")),
    ("a watchdog fed at any rate", "src/run/notify.c",
     "    if (notify->watchdog_every_ms == 0 || !is_well || now_ms < notify->watchdog_ms)",
     "    if (notify->watchdog_every_ms == 0 || now_ms < notify->watchdog_ms)", unit("notify")),
    ("the last checkpoint not waited for", "src/run/tenure_batch.c",
     "        leave(tenure, LEAVING_NOW, LEAVE_NOW_MS);\n        return false;\n",
     "        leave(tenure, LEAVING_NOW, LEAVE_NOW_MS);\n        return true;\n", unit("tenure")),
    ("what was kept is lost", "src/commit/checkpoint_kept.c",
     "                keep(&checkpoint->kept[i], &old[k]);\n",
     "                checkpoint->kept[i].gen = 0;\n", unit("tenure")),
    ("a reload lands", "src/run/units.c",
     "    if (!worker->is_adopting) /* then it was not the group that has spoken */\n        land(worker);\n",
     "    land(worker);\n", unit("worker")),
    # ---- dead letters
    ("a letter that is not delivered holds nothing", "src/state/shard_sums.c",
     "    return delivered < written ? delivered : written;", "    (void)delivered;\n    return written;",
     unit("letters")),
    ("progress passes a letter", "src/commit/checkpoint.c",
     "return ledger_delivered(&checkpoint->shard->ledger);", "return checkpoint->shard->ledger.position;",
     unit("checkpoint")),
    ("a view that is behind is ahead of a letter", "src/commit/checkpoint.c",
     "is_behind[view] && position < goal ? position : goal", "is_behind[view] ? position : goal",
     unit("checkpoint")),
    ("an answer for another life", "src/run/letters.c",
     "if (shard->life == life)", "if (shard->life >= life)", unit("letters")),
    ("a unit is held for ever", "src/run/letters.c",
     "return shard->ledger.posted_bytes <= share_of(worker) / 2;", "(void)worker;\n    return false;",
     unit("letters")),
    ("old letters are sent again", "src/run/letters.c",
     " || record->offset < shard->letters_from", "", unit("letters")),
    ("poison does not wait for its letter", "src/run/tenure_batch.c",
     "    if (tenure->trial.is_found)\n        return;\n", "", unit("tenure")),
    ("a letter that fails stops the others", "src/source/kafka_letters.c",
     "move(letter, reaction == LETTER_ASIDE ? &letters->aside\n                 : letter", "move(letter, letter",
     unit("kafka_letters")),
    ("all letters of a request are refused", "src/source/kafka_letters.c",
     "bool is_believed = is_its_own || letter->is_suspect;", "bool is_believed = true;\n    (void)is_its_own;",
     unit("kafka_letters")),
    ("suspects have company", "src/source/kafka_letters.c",
     " || (at_kafka->count > 0 && at_kafka->first->is_suspect)", "", unit("kafka_letters")),
    ("suspects wait for a pause", "src/source/kafka_letters.c",
     "suspect != NULL && letters->ahead == 0", "suspect != NULL && letters->waiting.first == NULL",
     unit("kafka_letters")),
    ("suspects come first", "src/source/kafka_letters.c",
     "suspect != NULL && letters->ahead == 0", "suspect != NULL", unit("kafka_letters")),
    # ---- replay
    ("until is behind the end", "src/source/assign.c",
     "return has_bound ? smaller(facts->until, facts->log_end) : facts->log_end;",
     "return has_bound ? facts->until : facts->log_end;", unit("assign")),
    ("anybody's offset is ours", "src/source/kafka_reset.c",
     "commit_metadata_read(element->metadata, element->metadata_size) >= 0;", "element->offset >= 0;",
     unit("kafka_reset")),
    ("a replay that nobody waits for", "src/run/tenure_batch.c",
     "return tenure->worker->setup.saves_at_once &&", "return false &&", unit("tenure")),
    # ---- keys read backwards
    ("a part may be empty", "src/config/template.c",
     "    if (len <= less)", "    if (len < less)", unit("template")),
    ("stars in a key are stars", "src/config/key_pattern.c",
     "        if (byte != KEY_PATTERN_STAR && strchr(\"*?[]\\\\\", byte) != NULL)", "        if (byte == 1)",
     unit("template")),
    # ---- what is shown: boards, metrics, HTTP
    ("a connection lives as long as it trickles", "src/metrics/http.c",
     "        if (left_ms <= 0)\n            cut(caller);\n        else if (left_ms < wait_ms)",
     "        if (left_ms > 0 && left_ms < wait_ms)", unit("http")),
    ("nobody makes room for who comes", "src/metrics/http.c",
     "    if (count >= HTTP_CONNECTIONS_MAX)\n        cut(oldest);",
     "    (void)oldest;", unit("http")),
    ("any Host will do", "src/metrics/http.c",
     "return !http->listener.is_loopback || (host != NULL && host_header_is_loopback(host));",
     "return !http->listener.is_loopback || host != NULL;", unit("http")),
    ("a head may be as long as memory allows", "src/metrics/http.c",
     "if (head_size(connection) > HTTP_HEAD_MAX)",
     "if (head_size(connection) > 2 * HTTP_HEAD_MAX)", unit("http")),
    ("any method will do", "src/metrics/http.c",
     "    if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 && strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)\n"
     "        return refuse(connection, MHD_HTTP_METHOD_NOT_ALLOWED, \"only GET and HEAD are answered\");\n",
     "", unit("http")),
    ("a quote ends a label", "src/metrics/expose.c",
     "else if (*value == '\"' && is_quoted)",
     "else if (false && is_quoted)", unit("expose")),
    ("buckets are not cumulative", "src/metrics/expose.c",
     "        total += of[i];",
     "        total = of[i];", unit("expose")),
    ("a unit is shown twice", "src/metrics/scrape.c",
     "if (kept == 0 || !is_same(scrape->units[kept - 1].unit, scrape->units[i].unit))",
     "if (true)", unit("expose")),
    ("parked units are ours", "src/metrics/scrape.c",
     "return stage != STAGE_AWAY && stage != STAGE_PARKED;",
     "return stage != STAGE_AWAY;", unit("expose")),
    ("a view that is gone goes on ageing", "src/metrics/scrape.c",
     "if (line == NULL || cell_get(&line->cells[VIEW_IS_CURRENT]) == 0)",
     "if (line == NULL)", unit("expose")),
    ("ready without its partitions", "src/metrics/health.c",
     "return counts[STAGE_LIVE] >= owned;",
     "return true;", unit("http")),
    ("a hang goes unnoticed", "src/metrics/health.c",
     "!= PHASE_RUNNING || since_ms < HEALTH_HANGS_MS)",
     "!= PHASE_RUNNING || since_ms >= 0)", unit("http")),
    ("a view begins to count anew", "src/metrics/board.c",
     "for (; view != NULL && strcmp(view->name, name) != 0; view = *at)",
     "for (; view != NULL; view = *at)", unit("board")),
    ("the latency is that of the newest event", "src/state/shard.c",
     "        *ret_record_ms = held.record_ms;",
     "        *ret_record_ms = shard->record_ms;", unit("shard")),
    ("what is read in silence has a latency", "src/run/show.c",
     "    if (item->record_ms < 0)\n        return;\n",
     "", unit("worker")),
    ("decays never lag", "src/state/shard_save.c",
     "since_ms > lag_ms)",
     "since_ms < lag_ms)", unit("shard")),
    ("a dropped unit stays shown", "src/run/units.c",
     "    unit->shard = NULL;\n    show_away(unit);",
     "    unit->shard = NULL;", unit("worker")),
    ("what is saved is not shown", "src/run/show.c",
     "    if (is_saved(unit))\n        cell_set(&cells[UNIT_SAVED_MS], worker->wall_ms);\n",
     "", unit("tenure")),
    ("a view that is behind is shown as live", "src/run/show.c",
     "            return STAGE_BEHIND;",
     "            return STAGE_LIVE;", unit("tenure")),
    ("a retry is not counted", "src/sink/fenced_ask.c",
     "        board_count(fenced->board, BOARD_RETRIES);\n",
     "", unit("fenced_store")),
    ("a retry is not counted (plain)", "src/sink/plain.c",
     "        board_count(plain->board, BOARD_RETRIES);\n",
     "", unit("redis_store")),
    ("a failed commit counts as none", "src/source/kafka_commit.c",
     "        board_count(source->handler.board, BOARD_COMMITS_FAILED);\n",
     "", unit("kafka_source")),
    ("in a pause the log does not grow", "src/source/kafka.c",
     "    if (is_answered && source->is_paused)\n        ask_ends(source);\n",
     "", unit("kafka_source")),
    ("[::1]x is this machine", "src/config/address.c",
     "        if (close == NULL || (close[1] != '\\0' && close[1] != ':'))",
     "        if (close == NULL)", unit("address")),
    ("what a restart found unsaid counts as said", "src/state/shard.c",
     "if (shard->warmed < draining->asked || is_unsaid_yet(shard, view))",
     "if (shard->warmed < draining->asked)", unit("shard_save")),
    ("what the pass has asked for counts as said", "src/state/shard.c",
     "    shard->is_passing = false;\n    for (size_t i = 0; i < shard->topic->view_count; i++)\n"
     "        shard->draining[i].asked = shard->asked;\n",
     "    shard->is_passing = false;\n", unit("shard_cold")),
    # ---- TLS and secrets
    ("any certificate will do", "src/sink/tls.c",
     "SSL_VERIFY_PEER, NULL", "SSL_VERIFY_NONE, NULL", unit("tls")),
    ("a certificate of any host will do", "src/sink/tls.c",
     "    CHECK(SSL_set1_host(ssl, host) == 1);\n", "", unit("tls")),
    ("an address is looked for nowhere", "src/sink/tls.c",
     "X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), host) == 1", "host[0] == '1'", unit("tls")),
    ("what OpenSSL holds already is waited for", "src/sink/tls.c",
     "    if (SSL_pending(tls->ssl) > 0)\n        return 0;\n", "", unit("tls")),
    ("sending is waited for before hands are shaken", "src/sink/tls.c",
     "for_sending && SSL_is_init_finished(tls->ssl)", "for_sending", unit("tls")),
    ("nobody hears why a server hangs up", "src/sink/tls.c",
     "    if (rc < 0)\n        hear_why(tls, err);\n", "", unit("tls")),
    ("no CA of ours is read", "src/sink/tls.c",
     "const char *file = *(char *const *)((const char *)url + FILES[i].offset);",
     "const char *file = i == 0 ? NULL : *(char *const *)((const char *)url + FILES[i].offset);", unit("tls")),
    ("others may write to a file of secrets", "src/config/secret_file.c",
     "S_IRWXO", "S_IROTH", unit("secret_files")),
    ("a file of secrets is checked only where it is named alone", "src/config/options_secrets.c",
     "url->key_file != NULL && secret_file_check(", "false && secret_file_check(", unit("secret_files")),
    ("a secret that is written in part is not written", "src/config/yaml.c",
     "(node->borrowed == NULL || memchr(node->borrowed + from, 0, len) != NULL)",
     "node->borrowed == NULL", unit("secret_files")),
    ("all of a value with a variable is the variable's", "src/config/expand.c",
     "is_borrowed, len);", "1, len);", unit("secret_files")),
    ("a refused question is the answer", "src/sink/loader_scan.c",
     "REDIS_REPLY_ERROR && !is_other_type)", "REDIS_REPLY_ERROR && !is_other_type && question->kind != ASK_OWN)",
     unit("loader")),
    ("a password may be given twice", "src/config/options_secrets.c",
     "if (file != NULL && reader->url->password != NULL)", "if (file == NULL && reader->url->password != NULL)",
     unit("secret_files")),
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
    return subprocess.run(["make", "-s", "OPT=-O1", "WERROR=", *targets], cwd=tree, capture_output=True, text=True)


def run_test(tree, command):
    """True: it passed."""
    try:
        return subprocess.run(command, cwd=tree, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                              timeout=TEST_S, check=False).returncode == 0
    except subprocess.TimeoutExpired:
        return False


def read(tree, name):
    with open(os.path.join(tree, name), encoding="utf-8") as file:
        return file.read()


def write(tree, name, text):
    with open(os.path.join(tree, name), "w", encoding="utf-8") as file:
        file.write(text)


def try_mutant(tree, mutant):
    """What is wrong with it, or None: it was noticed."""
    _, names, olds, news, (target, command) = mutant
    places = list(zip(names, olds, news)) if not isinstance(names, str) else [(names, olds, news)]
    before = {name: read(tree, name) for name, _, _ in places}
    try:
        for name, old, new in places:
            text = read(tree, name)
            if text.count(old) != 1:
                return f"its text stands {text.count(old)} times in {name}"
            write(tree, name, text.replace(old, new))
        built = make(tree, target)
        if built.returncode != 0:
            return "it does not compile: " + built.stderr.strip().split("\n")[0]
        return "nothing noticed it" if run_test(tree, command) else None
    finally:
        for name, text in before.items():
            write(tree, name, text)


def check_unmutated(tree, mutants):
    tests = {tuple(command): target for *_, (target, command) in mutants}
    built = make(tree, "-j2", *sorted(set(tests.values())))
    if built.returncode != 0:
        sys.exit("the tree does not build:\n" + built.stderr)
    for command in tests:
        if not run_test(tree, list(command)):
            sys.exit("fails without any mutant: " + " ".join(command))


class Run:
    def __init__(self, mutants):
        self.mutants = mutants
        self.waiting = iter(enumerate(mutants, 1))
        self.failed = 0
        self.lock = threading.Lock()

    def next(self):
        with self.lock:
            return next(self.waiting, None)

    def say(self, number, name, problem):
        with self.lock:
            self.failed += problem is not None
            print(f"{number:3}/{len(self.mutants)} {'noticed' if problem is None else 'FAILED '}  {name}"
                  + (f": {problem}" if problem else ""), flush=True)

    def work(self, tree):
        while (found := self.next()) is not None:
            number, mutant = found
            self.say(number, mutant[0], try_mutant(tree, mutant))


def main():
    words = sys.argv[1:]
    run = Run([m for m in MUTANTS if not words or any(word in m[0] for word in words)])
    trees = [tempfile.mkdtemp(prefix="mutants-") for _ in range(os.cpu_count() or 1)]
    try:
        copy_tree(trees[0])
        check_unmutated(trees[0], run.mutants)
        for tree in trees[1:]:
            shutil.copytree(trees[0], tree, dirs_exist_ok=True)
        threads = [threading.Thread(target=run.work, args=[tree]) for tree in trees]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        for tree in trees:
            shutil.rmtree(tree, ignore_errors=True)
    print(f"mutants: {len(run.mutants) - run.failed} passed, {run.failed} failed")
    return 1 if run.failed else 0


if __name__ == "__main__":
    sys.exit(main())
