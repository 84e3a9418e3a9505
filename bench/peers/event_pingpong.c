// Two processes that notify each other of counted events in turns, by the means that plain C has for it: the floor of our events. For each
// direction there is a set in shared memory: a 64-bit count for each id, a bitmap of the ids that are pending, and a word that says that the
// listener sleeps, or is about to; only then does the notifier write to the listener's eventfd. A listener looks for SPIN_US before it sleeps
// in poll. Both trust each other: nothing that the other side wrote is checked but for being the event that must come.
// Arguments: a core for each (-1: any), SPIN_US. Lines on standard input: "COUNT"; answer: the nanoseconds of COUNT round trips.
#include "peer.h"
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDS 1024
#define WORD_BITS 64
#define WORDS (IDS / WORD_BITS)
// Looks in a row before the clock is read again while spinning, as on our side.
#define LOOKS_PER_CLOCK 16

struct event_set {
    _Alignas(64) atomic_uint waiting;
    _Alignas(64) _Atomic uint64_t pending[WORDS];
    _Atomic uint64_t counts[IDS];
};

struct listener {
    struct event_set *set;
    int wake;
    uint64_t spin_ns;
    uint64_t taken[IDS];
};

struct notifier {
    struct event_set *set;
    int wake;
};

struct side {
    struct listener listener;
    struct notifier notifier;
    uint64_t turn;
};

struct event {
    unsigned id;
    uint64_t count;
};

static void notify(const struct notifier *notifier, unsigned id)
{
    struct event_set *set = notifier->set;
    // Only this side counts. The store comes before the load of the bitmap, as the listener's exchange comes before its load of the count.
    atomic_store(&set->counts[id], atomic_load_explicit(&set->counts[id], memory_order_relaxed) + 1);
    uint64_t bit = UINT64_C(1) << id % WORD_BITS;
    if ((atomic_load(&set->pending[id / WORD_BITS]) & bit) == 0)
        atomic_fetch_or(&set->pending[id / WORD_BITS], bit);
    if (atomic_load(&set->waiting) != 0 && atomic_exchange(&set->waiting, 0) != 0 && eventfd_write(notifier->wake, 1) != 0)
        fail("eventfd_write");
}

// Takes what is pending; one event at most is, since both sides take turns. False if there is none.
static bool take(struct listener *listener, struct event *event)
{
    struct event_set *set = listener->set;
    for (unsigned word = 0; word < WORDS; word++) {
        if (atomic_load(&set->pending[word]) == 0)
            continue;
        uint64_t bits = atomic_exchange(&set->pending[word], 0);
        event->id = word * WORD_BITS + (unsigned)__builtin_ctzll(bits);
        uint64_t count = atomic_load(&set->counts[event->id]);
        event->count = count - listener->taken[event->id];
        listener->taken[event->id] = count;
        return true;
    }
    return false;
}

static bool spin(struct listener *listener, struct event *event)
{
    if (listener->spin_ns == 0)
        return take(listener, event);
    uint64_t end = now_ns() + listener->spin_ns;
    do {
        for (int look = 0; look < LOOKS_PER_CLOCK; look++)
            if (take(listener, event))
                return true;
    } while (now_ns() < end);
    return false;
}

static struct event wait_for_event(struct listener *listener)
{
    struct event event;
    while (!spin(listener, &event)) {
        atomic_store(&listener->set->waiting, 1);
        if (take(listener, &event)) {
            atomic_store(&listener->set->waiting, 0);
            break;
        }
        struct pollfd poll_fd = {.fd = listener->wake, .events = POLLIN};
        if (poll(&poll_fd, 1, -1) < 0 && errno != EINTR)
            fail("poll");
        eventfd_t ignored;
        if (eventfd_read(listener->wake, &ignored) != 0 && errno != EAGAIN)
            fail("eventfd_read");
    }
    return event;
}

// The id of a turn, so that ids change and all are used.
static unsigned id_of(uint64_t turn) { return (unsigned)(turn * 7 % IDS); }

static void expect(struct event event, unsigned id)
{
    if (event.id == id && event.count == 1)
        return;
    fprintf(stderr, "event_pingpong: expected event %u once, got %u %lu times\n", id, event.id,
            (unsigned long)event.count);
    exit(1);
}

static void round_trip(void *context)
{
    struct side *side = context;
    unsigned id = id_of(side->turn++);
    notify(&side->notifier, id);
    expect(wait_for_event(&side->listener), id);
}

static void echo(struct side *side)
{
    for (;;) {
        unsigned id = id_of(side->turn++);
        expect(wait_for_event(&side->listener), id);
        notify(&side->notifier, id);
    }
}

static int make_wake(void)
{
    int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (fd < 0)
        fail("eventfd");
    return fd;
}

int main(int argc, char **argv)
{
    if (argc != 4) {
        fprintf(stderr, "usage: event_pingpong CORE CORE SPIN_US\n");
        return 2;
    }
    uint64_t spin_ns = strtoull(argv[3], NULL, 10) * 1000;
    struct event_set *sets = mmap(NULL, 2 * sizeof *sets, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (sets == MAP_FAILED)
        fail("mmap");
    int wakes[2] = {make_wake(), make_wake()};
    pid_t child = fork();
    if (child < 0)
        fail("fork");
    int own = child == 0 ? 1 : 0;
    static struct side side;
    side.listener = (struct listener){.set = &sets[own], .wake = wakes[own], .spin_ns = spin_ns};
    side.notifier = (struct notifier){.set = &sets[1 - own], .wake = wakes[1 - own]};
    pin(argv[1 + own]);
    if (child == 0) {
        // Nothing else would end it: it shares no connection that could break.
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
            fail("prctl");
        echo(&side);
        return 0;
    }
    serve_round_trips(round_trip, &side);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    return 0;
}
