/*
 * Descriptors on offer from one thread of this process to another: a process-wide table under a mutex. Owns a duplicate of
 * each offer until it is taken or withdrawn, or the environment that offered it ends. Keys can't be guessed: they travel in
 * messages, and a number that can be counted up would let any message take any descriptor.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "seam.h"

/* Each offer holds a descriptor, so forgotten ones must not pile up. */
#define MAX_OFFERS 4096
#define KEY_BYTES 16
#define KEY_DIGITS (2 * KEY_BYTES)

struct offer {
    /* NULL: free. */
    struct seam_env *owner;
    int fd;
    char key[KEY_DIGITS];
};

static pthread_mutex_t table_lock = PTHREAD_MUTEX_INITIALIZER;
static struct offer table[MAX_OFFERS];
/* No offer lies at or beyond this index. */
static size_t table_used;

static bool make_key(char *key) {
    static const char digits[] = "0123456789abcdef";
    unsigned char raw[KEY_BYTES];
    ssize_t count;
    do count = getrandom(raw, sizeof raw, 0);
    while (count == -1 && errno == EINTR);
    if (count != sizeof raw) return false;
    for (size_t i = 0; i < KEY_BYTES; i++) {
        key[2 * i] = digits[raw[i] >> 4];
        key[2 * i + 1] = digits[raw[i] & 15];
    }
    return true;
}

static bool insert(const struct offer *offer) {
    pthread_mutex_lock(&table_lock);
    size_t i = 0;
    while (i < MAX_OFFERS && table[i].owner != NULL) i++;
    if (i < MAX_OFFERS) table[i] = *offer;
    if (i < MAX_OFFERS && i >= table_used) table_used = i + 1;
    pthread_mutex_unlock(&table_lock);
    return i < MAX_OFFERS;
}

/* The descriptor of the offer with this key, which is taken off the table, or -1. */
static int take_out(const char *key) {
    int fd = -1;
    pthread_mutex_lock(&table_lock);
    for (size_t i = 0; i < table_used && fd == -1; i++) {
        if (table[i].owner == NULL || memcmp(table[i].key, key, KEY_DIGITS) != 0) continue;
        fd = table[i].fd;
        table[i].owner = NULL;
    }
    pthread_mutex_unlock(&table_lock);
    return fd;
}

void handoff_env_end(struct seam_env *seam) {
    pthread_mutex_lock(&table_lock);
    for (size_t i = 0; i < table_used; i++) {
        if (table[i].owner != seam) continue;
        close(table[i].fd);
        table[i].owner = NULL;
    }
    pthread_mutex_unlock(&table_lock);
}

static napi_value offer_call(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct offer offer;
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 0, &fd)) return NULL;
    if (!make_key(offer.key)) return seam_throw(env, errno, "getrandom");
    offer.owner = call.seam;
    offer.fd = seam_duplicate(fd);
    if (offer.fd == -1) return seam_throw(env, errno, "fcntl");
    if (!insert(&offer)) {
        close(offer.fd);
        return NULL;
    }
    napi_value key = NULL;
    napi_create_string_latin1(env, offer.key, KEY_DIGITS, &key);
    return key;
}

/* A text of any other length than a key's is one that is not in the table. */
static bool key_argument(struct seam_call *call, char *key) {
    char text[KEY_DIGITS + 2];
    size_t length = 0;
    if (napi_get_value_string_utf8(call->env, call->argv[0], text, sizeof text, &length) != napi_ok) {
        seam_throw_type(call->env, "key must be a string");
        return false;
    }
    memset(key, 0, KEY_DIGITS);
    if (length == KEY_DIGITS) memcpy(key, text, KEY_DIGITS);
    return true;
}

static napi_value take_call(napi_env env, napi_callback_info info) {
    struct seam_call call;
    char key[KEY_DIGITS];
    if (!seam_begin(env, info, &call) || !key_argument(&call, key)) return NULL;
    int fd = take_out(key);
    if (fd != -1) seam_own(call.seam, fd);
    return seam_number(env, fd);
}

static napi_value withdraw_call(napi_env env, napi_callback_info info) {
    struct seam_call call;
    char key[KEY_DIGITS];
    if (!seam_begin(env, info, &call) || !key_argument(&call, key)) return NULL;
    int fd = take_out(key);
    if (fd != -1) close(fd);
    return seam_boolean(env, fd != -1);
}

const struct seam_entry handoff_entries[] = {
    {"handoffOffer", offer_call}, {"handoffTake", take_call}, {"handoffWithdraw", withdraw_call}, {NULL, NULL},
};
