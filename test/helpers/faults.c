/* An addon that does at once, each time that it is loaded, what $SEALANE_FAULT says: a crash of one kind, or a handler of SIGSEGV. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct sigaction before;

/* As a well-behaved crash reporter does: says something, then lets whoever was there before decide. */
static void report(int number, siginfo_t *info, void *context) {
    if (write(1, "reported\n", 9) != 9) _exit(1);
    before.sa_sigaction(number, info, context);
}

static void leave(int number) {
    (void)number;
    _exit(42);
}

static void act(void) {
    const char *what = getenv("SEALANE_FAULT");
    struct sigaction action = {.sa_flags = SA_SIGINFO};
    action.sa_sigaction = report;
    if (what == NULL) return;
    if (strcmp(what, "null write") == 0) *(volatile int *)NULL = 1;
    if (strcmp(what, "null read") == 0) (void)*(volatile int *)NULL;
    if (strcmp(what, "null call") == 0) ((void (*)(void))NULL)();
    if (strcmp(what, "constant write") == 0) *(volatile char *)"text" = 1;
    if (strcmp(what, "chaining handler") == 0) sigaction(SIGSEGV, &action, &before);
    if (strcmp(what, "leaving handler") == 0) signal(SIGSEGV, leave);
    if (strcmp(what, "no handler") == 0) signal(SIGSEGV, SIG_DFL);
    if (strcmp(what, "ignoring") == 0) signal(SIGSEGV, SIG_IGN);
}

/* What Node.js calls. Declared here, without its headers. */
void *napi_register_module_v1(void *env, void *exports);
void *napi_register_module_v1(void *env, void *exports) {
    (void)env;
    act();
    return exports;
}
