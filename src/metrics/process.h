/* process: what the system knows of this process: the standard set of Prometheus' client libraries.
 *
 * Floor: 3. Owner: any thread.
 */
#ifndef TIDEWHEEL_METRICS_PROCESS_H
#define TIDEWHEEL_METRICS_PROCESS_H

enum process_value {
    PROCESS_CPU_SECONDS,
    PROCESS_RESIDENT_BYTES,
    PROCESS_VIRTUAL_BYTES,
    PROCESS_VIRTUAL_BYTES_MAX,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_START_SECONDS, /* Unix time */
    PROCESS_VALUES
};

/* NAN: not to be had. */
struct process {
    double values[PROCESS_VALUES];
};

void process_read(struct process *process);

#endif
