/* Helpers that take tasks as they come. Nobody waits for a helper that the system does not let run:
   whoever runs takes the next task, and tasks are small. */

#include <stdatomic.h>
#include <time.h>

typedef void (*work)(void *what, int64_t task, int worker);

#ifdef _WIN32

typedef struct {
    int workers;
} crew;

static crew *crew_new(int workers) {
    crew *c = calloc(1, sizeof *c);
    (void)workers;
    if (c) c->workers = 1; /* this system's threads are not made use of */
    return c;
}
static void crew_free(crew *c) { free(c); }
static void crew_starts(crew *c) { (void)c; }
static void crew_rests(crew *c) { (void)c; }
static void share(crew *c, int64_t tasks, work todo, void *what) {
    (void)c;
    for (int64_t task = 0; task < tasks; task++) todo(what, task, 0);
}

#else
#include <pthread.h>
#include <sched.h>

enum {
    MOST_WORKERS = 16,
    LINGER_NS = 300000, /* so long a helper looks for more before it sleeps */
    STALL_NS = 1000000,  /* to wait so long for a task means that its helper does not run: another has its core */
    SHY = 100           /* runs to do alone then */
};

typedef struct {
    _Atomic(work) todo;
    void *_Atomic what;
    _Atomic int64_t tasks, done;
} job;

typedef struct {
    int workers; /* the caller among them */
    pthread_t threads[MOST_WORKERS];
    job jobs[2];
    _Atomic uint64_t ticket; /* the number of the job << 32 | its next task */
    _Atomic int busy, ends;
    int alone; /* runs to do without help, this one among them */
    pthread_mutex_t lock;
    pthread_cond_t wake;
} crew;

typedef struct {
    crew *crew;
    int number;
} helper;

static inline void relax(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Do one task, if there is one. A job is written anew only when the next one is over, and by then
   the ticket is another: who read half of a job gets no task of it. */
static int take(crew *c, int worker) {
    uint64_t ticket = atomic_load(&c->ticket);
    for (;;) {
        job *j = &c->jobs[ticket >> 32 & 1];
        int64_t task = (int64_t)(ticket & 0xffffffff);
        work todo = atomic_load(&j->todo);
        void *what = atomic_load(&j->what);
        if (task >= atomic_load(&j->tasks)) return 0;
        if (atomic_compare_exchange_weak(&c->ticket, &ticket, ticket + 1)) {
            todo(what, task, worker);
            atomic_fetch_add(&j->done, 1);
            return 1;
        }
    }
}

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void *help(void *given) {
    helper me = *(helper *)given;
    crew *c = me.crew;
    free(given);
    for (;;) {
        int64_t since = 0;
        for (int turn = 1; !atomic_load(&c->ends); turn++) {
            if (take(c, me.number) || atomic_load(&c->busy)) {
                since = 0;
            } else if (turn % 64 == 0) {
                int64_t now = now_ns();
                since = since ? since : now;
                if (now - since > LINGER_NS) break;
            }
            /* Where the caller waits for this very core, it gets it. */
            if (turn % 128 == 0) sched_yield();
            else relax();
        }
        pthread_mutex_lock(&c->lock);
        while (!atomic_load(&c->busy) && !atomic_load(&c->ends)) pthread_cond_wait(&c->wake, &c->lock);
        pthread_mutex_unlock(&c->lock);
        if (atomic_load(&c->ends)) return 0;
    }
}

static void crew_free(crew *c) {
    if (!c) return;
    pthread_mutex_lock(&c->lock);
    atomic_store(&c->ends, 1);
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
    for (int i = 1; i < c->workers; i++) pthread_join(c->threads[i], 0);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->wake);
    free(c);
}

/* As many workers as could be had, the caller among them. */
static crew *crew_new(int workers) {
    crew *c = calloc(1, sizeof *c);
    if (!c) return 0;
    pthread_mutex_init(&c->lock, 0);
    pthread_cond_init(&c->wake, 0);
    workers = workers < MOST_WORKERS ? workers : MOST_WORKERS;
    for (c->workers = 1; c->workers < workers; c->workers++) {
        helper *h = malloc(sizeof *h);
        if (h) *h = (helper){c, c->workers};
        if (!h || pthread_create(&c->threads[c->workers], 0, help, h)) {
            free(h);
            break;
        }
    }
    return c;
}

static void crew_starts(crew *c) {
    c->alone -= c->alone > 0;
    if (c->workers < 2 || c->alone) return;
    pthread_mutex_lock(&c->lock);
    atomic_store(&c->busy, 1);
    pthread_cond_broadcast(&c->wake);
    pthread_mutex_unlock(&c->lock);
}

static void crew_rests(crew *c) { atomic_store(&c->busy, 0); }

/* Do all tasks, in any order; they are done when this returns. */
static void share(crew *c, int64_t tasks, work todo, void *what) {
    if (c->workers < 2 || c->alone || tasks < 2) {
        for (int64_t task = 0; task < tasks; task++) todo(what, task, 0);
        return;
    }
    uint64_t number = (atomic_load(&c->ticket) >> 32) + 1;
    job *j = &c->jobs[number & 1];
    atomic_store(&j->tasks, tasks);
    atomic_store(&j->todo, todo);
    atomic_store(&j->what, what);
    atomic_store(&j->done, 0);
    atomic_store(&c->ticket, number << 32);
    while (take(c, 0)) {}
    int64_t since = 0;
    for (int turn = 1; atomic_load(&j->done) < tasks; turn++) {
        if (turn % 128) {
            relax();
            continue;
        }
        sched_yield(); /* the helper may wait for this very core */
        since = since ? since : now_ns();
        if (now_ns() - since > STALL_NS) c->alone = SHY;
    }
}

#endif
