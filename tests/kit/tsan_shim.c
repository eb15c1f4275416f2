/* tsan_shim: C11 threads as pthreads, for the ThreadSanitizer build alone.
 *
 * ThreadSanitizer knows pthreads and not the C11 threads of glibc, which librdkafka uses: it would
 * die at the first client. Nor does it know pthread_clockjoin_np(), and takes what that joined for lost. The program's own symbols come before glibc's, so linking this file in is
 * enough. A mtx_t or cnd_t of glibc has the size of the pthread one or less, so each is kept beside it
 * where it does not fit; on glibc they fit.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <threads.h>

_Static_assert(sizeof(mtx_t) >= sizeof(pthread_mutex_t), "a mtx_t holds a pthread_mutex_t");
_Static_assert(sizeof(cnd_t) >= sizeof(pthread_cond_t), "a cnd_t holds a pthread_cond_t");

static int answer(int code)
{
    switch (code) {
    case 0:
        return thrd_success;
    case ETIMEDOUT:
        return thrd_timedout;
    case EBUSY:
        return thrd_busy;
    case ENOMEM:
        return thrd_nomem;
    default:
        return thrd_error;
    }
}

struct start {
    thrd_start_t run;
    void *arg;
};

static void *begin(void *arg)
{
    struct start start = *(struct start *)arg;
    free(arg);
    return (void *)(intptr_t)start.run(start.arg);
}

int thrd_create(thrd_t *ret, thrd_start_t run, void *arg)
{
    struct start *start = malloc(sizeof *start);
    if (start == NULL)
        return thrd_nomem;
    *start = (struct start){run, arg};
    int code = pthread_create((pthread_t *)ret, NULL, begin, start);
    if (code != 0)
        free(start);
    return answer(code);
}

int thrd_join(thrd_t thread, int *ret)
{
    void *result;
    int code = pthread_join((pthread_t)thread, &result);
    if (code == 0 && ret != NULL)
        *ret = (int)(intptr_t)result;
    return answer(code);
}

int thrd_detach(thrd_t thread)
{
    return answer(pthread_detach((pthread_t)thread));
}

thrd_t thrd_current(void)
{
    return (thrd_t)pthread_self();
}

int mtx_init(mtx_t *mutex, int type)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    if (type & mtx_recursive)
        pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    int code = pthread_mutex_init((pthread_mutex_t *)mutex, &attr);
    pthread_mutexattr_destroy(&attr);
    return answer(code);
}

int mtx_lock(mtx_t *mutex)
{
    return answer(pthread_mutex_lock((pthread_mutex_t *)mutex));
}

int mtx_trylock(mtx_t *mutex)
{
    return answer(pthread_mutex_trylock((pthread_mutex_t *)mutex));
}

int mtx_unlock(mtx_t *mutex)
{
    return answer(pthread_mutex_unlock((pthread_mutex_t *)mutex));
}

void mtx_destroy(mtx_t *mutex)
{
    pthread_mutex_destroy((pthread_mutex_t *)mutex);
}

int cnd_init(cnd_t *cond)
{
    return answer(pthread_cond_init((pthread_cond_t *)cond, NULL));
}

int cnd_signal(cnd_t *cond)
{
    return answer(pthread_cond_signal((pthread_cond_t *)cond));
}

int cnd_broadcast(cnd_t *cond)
{
    return answer(pthread_cond_broadcast((pthread_cond_t *)cond));
}

int cnd_wait(cnd_t *cond, mtx_t *mutex)
{
    return answer(pthread_cond_wait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex));
}

int cnd_timedwait(cnd_t *restrict cond, mtx_t *restrict mutex, const struct timespec *restrict due)
{
    return answer(pthread_cond_timedwait((pthread_cond_t *)cond, (pthread_mutex_t *)mutex, due));
}

void cnd_destroy(cnd_t *cond)
{
    pthread_cond_destroy((pthread_cond_t *)cond);
}

int pthread_clockjoin_np(pthread_t thread, void **ret, clockid_t clock, const struct timespec *due)
{
    struct timespec now, real;
    (void)clock_gettime(clock, &now);
    (void)clock_gettime(CLOCK_REALTIME, &real);
    int64_t due_ns = (due->tv_sec - now.tv_sec + real.tv_sec) * INT64_C(1000000000) + due->tv_nsec -
                     now.tv_nsec + real.tv_nsec;
    struct timespec until = {.tv_sec = due_ns / 1000000000, .tv_nsec = due_ns % 1000000000};
    return pthread_timedjoin_np(thread, ret, &until);
}
