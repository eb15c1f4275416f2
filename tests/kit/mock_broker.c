/* mock_broker: librdkafka's mock cluster in a process of its own.
 *
 *     mock-broker user_events:4 other:2
 *     brokers=127.0.0.1:40123
 *
 * Each argument is a topic and its number of partitions; a topic that a client asks for and that is
 * not there is made with 4. Runs until SIGTERM or SIGINT, until its standard input, if that is a
 * pipe, is closed, or until its parent has gone.
 *
 * What the mock cluster lacks: lookups by timestamp, transactions that hide anything, admin
 * requests, growing topics. It keeps 5 MiB of a partition.
 */
#include <librdkafka/rdkafka.h>
#include <librdkafka/rdkafka_mock.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { LOOK_MS = 100, PARTITIONS_MAX = 1000 };

static rd_kafka_t *host_new(void)
{
    char reason[512];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    if (rd_kafka_conf_set(conf, "log_level", "3", reason, sizeof reason) != RD_KAFKA_CONF_OK) {
        (void)fprintf(stderr, "%s\n", reason);
        return NULL;
    }
    rd_kafka_t *host = rd_kafka_new(RD_KAFKA_PRODUCER, conf, reason, sizeof reason);
    if (host == NULL)
        (void)fprintf(stderr, "%s\n", reason);
    return host;
}

static bool topic_add(rd_kafka_mock_cluster_t *cluster, const char *argument)
{
    char name[256];
    const char *colon = strrchr(argument, ':');
    long partitions = colon != NULL ? strtol(colon + 1, NULL, 10) : 0;
    size_t len = colon != NULL ? (size_t)(colon - argument) : 0;
    if (len == 0 || len >= sizeof name || partitions < 1 || partitions > PARTITIONS_MAX) {
        (void)fprintf(stderr, "'%s' is not TOPIC:PARTITIONS\n", argument);
        return false;
    }
    memcpy(name, argument, len);
    name[len] = '\0';
    rd_kafka_resp_err_t code = rd_kafka_mock_topic_create(cluster, name, (int)partitions, 1);
    if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
        (void)fprintf(stderr, "%s: %s\n", name, rd_kafka_err2str(code));
    return code == RD_KAFKA_RESP_ERR_NO_ERROR;
}

static bool stdin_is_pipe(void)
{
    struct stat about;
    return fstat(STDIN_FILENO, &about) == 0 && (S_ISFIFO(about.st_mode) || S_ISSOCK(about.st_mode));
}

/* Looks every LOOK_MS, as no signal tells that a parent has gone for sure. */
static void wait_for_end(const sigset_t *signals, pid_t parent)
{
    bool has_pipe = stdin_is_pipe();
    struct timespec pause = {0, LOOK_MS * 1000000L};
    while (sigtimedwait(signals, NULL, &pause) < 0 && getppid() == parent) {
        struct pollfd input = {STDIN_FILENO, POLLIN, 0};
        char bytes[256];
        if (has_pipe && poll(&input, 1, 0) > 0 && read(STDIN_FILENO, bytes, sizeof bytes) <= 0)
            return;
    }
}

int main(int argc, char **argv)
{
    pid_t parent = getppid();
    sigset_t signals;
    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    rd_kafka_t *host = host_new();
    rd_kafka_mock_cluster_t *cluster = host != NULL ? rd_kafka_mock_cluster_new(host, 1) : NULL;
    if (cluster == NULL)
        return EXIT_FAILURE;
    bool is_good = true;
    for (int i = 1; i < argc && is_good; i++)
        is_good = topic_add(cluster, argv[i]);
    if (is_good) {
        (void)printf("brokers=%s\n", rd_kafka_mock_cluster_bootstraps(cluster));
        (void)fflush(stdout);
        wait_for_end(&signals, parent);
    }
    rd_kafka_mock_cluster_destroy(cluster);
    rd_kafka_destroy(host);
    return is_good ? EXIT_SUCCESS : EXIT_FAILURE;
}
