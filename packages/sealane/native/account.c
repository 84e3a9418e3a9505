/*
 * Users and groups by name, as the system's databases know them (nsswitch.conf(5)): getpwnam_r(3), getgrnam_r(3). They may ask a
 * server, and wait for it.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdlib.h>

#include "seam.h"

/* Names have at most 256 bytes, and the room that seam_text needs. */
#define NAME_CAPACITY (256 + 5)
/* Room for an entry at first, and at most: a group lists all its members. */
#define ENTRY_BYTES 4096
#define MAX_ENTRY_BYTES (16 * 1024 * 1024)

/* Finds an entry with `bytes` of room for its texts: 0, or an error; *id stays -1 when there is none. */
typedef int find_entry(const char *name, char *texts, size_t bytes, double *id);

static int find_user(const char *name, char *texts, size_t bytes, double *id) {
    struct passwd entry, *found = NULL;
    int error = getpwnam_r(name, &entry, texts, bytes, &found);
    if (found != NULL) *id = found->pw_uid;
    return error;
}

static int find_group(const char *name, char *texts, size_t bytes, double *id) {
    struct group entry, *found = NULL;
    int error = getgrnam_r(name, &entry, texts, bytes, &found);
    if (found != NULL) *id = found->gr_gid;
    return error;
}

/* What some databases say of a name that they don't know: getpwnam(3), "errors". */
static bool means_none(int error) { return error == ENOENT || error == ESRCH || error == EBADF || error == EPERM; }

static int find_with_room(find_entry *find, const char *name, double *id) {
    int error = ERANGE;
    for (size_t bytes = ENTRY_BYTES; error == ERANGE && bytes <= MAX_ENTRY_BYTES; bytes *= 4) {
        char *texts = malloc(bytes);
        if (texts == NULL) return ENOMEM;
        do error = find(name, texts, bytes, id);
        while (error == EINTR);
        free(texts);
    }
    return error;
}

static napi_value account(napi_env env, napi_callback_info info, find_entry *find, const char *function) {
    struct seam_call call;
    char name[NAME_CAPACITY];
    double id = -1;
    if (!seam_begin(env, info, &call) || !seam_text(&call, 0, "name", name, sizeof name)) return NULL;
    int error = find_with_room(find, name, &id);
    return error == 0 || means_none(error) ? seam_number(env, id) : seam_throw(env, error, function);
}

static napi_value account_user(napi_env env, napi_callback_info info) { return account(env, info, find_user, "getpwnam_r"); }

static napi_value account_group(napi_env env, napi_callback_info info) {
    return account(env, info, find_group, "getgrnam_r");
}

const struct seam_entry account_entries[] = {{"accountUser", account_user}, {"accountGroup", account_group}, {NULL, NULL}};
