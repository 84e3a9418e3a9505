/*
 * SHA-256 of a file's content, by OpenSSL as Node.js carries it and read(2) on a thread. The state is owned by its handle
 * in JavaScript, and by the job of an update while one is under way.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "openssl_abi.h"
#include "seam.h"

#define BUFFER_BYTES (256 * 1024)
#define SHA256_BYTES 32

struct digest {
    uint32_t kind;
    /* Holders: the handle in JavaScript, the job of an update. */
    unsigned holders;
    bool busy;
    /* NULL once it was finished or freed. */
    EVP_MD_CTX *context;
};

static void let_go(struct digest *digest) {
    if (--digest->holders > 0) return;
    if (digest->context != NULL) EVP_MD_CTX_free(digest->context);
    free(digest);
}

static void on_collected(napi_env env, void *data, void *hint) {
    (void)env;
    (void)hint;
    let_go(data);
}

static bool has_openssl(void) {
    return EVP_MD_CTX_new != NULL && EVP_MD_CTX_free != NULL && EVP_sha256 != NULL && EVP_DigestInit_ex != NULL &&
           EVP_DigestUpdate != NULL && EVP_DigestFinal_ex != NULL;
}

static napi_value digest_create(napi_env env, napi_callback_info info) {
    (void)info;
    if (!has_openssl()) return NULL;
    struct digest *digest = calloc(1, sizeof *digest);
    if (digest == NULL) return seam_throw(env, ENOMEM, "malloc");
    digest->kind = SEAM_DIGEST;
    digest->holders = 1;
    digest->context = EVP_MD_CTX_new();
    napi_value handle = NULL;
    if (digest->context != NULL && EVP_DigestInit_ex(digest->context, EVP_sha256(), NULL) == 1) {
        handle = seam_handle(env, digest, on_collected);
    }
    if (handle != NULL) return handle;
    let_go(digest);
    return seam_throw(env, ENOMEM, "EVP_DigestInit_ex");
}

/* A digest that can be used now. */
static struct digest *digest_argument(struct seam_call *call) {
    struct digest *digest = seam_object(call, 0, SEAM_DIGEST);
    if (digest == NULL) return NULL;
    if (digest->context != NULL && !digest->busy) return digest;
    seam_throw_type(call->env, digest->busy ? "the digest is busy with another update" : "the digest is finished");
    return NULL;
}

struct digest_job {
    struct seam_job job;
    struct digest *digest;
    int fd;
    uint64_t offset, length, done;
};

static const char *take_in(struct digest_job *self, uint8_t *buffer) {
    while (self->done < self->length) {
        uint64_t left = self->length - self->done;
        size_t wanted = left < BUFFER_BYTES ? (size_t)left : BUFFER_BYTES;
        ptrdiff_t count = seam_read_some(self->fd, buffer, wanted, self->offset + self->done);
        if (count == -1) return "pread";
        if (count == 0) return NULL;
        errno = EIO;
        if (EVP_DigestUpdate(self->digest->context, buffer, (size_t)count) != 1) return "EVP_DigestUpdate";
        self->done += (uint64_t)count;
    }
    return NULL;
}

static void update_execute(struct seam_job *job) {
    uint8_t *buffer = malloc(BUFFER_BYTES);
    errno = ENOMEM;
    job->syscall = buffer == NULL ? "malloc" : take_in((struct digest_job *)job, buffer);
    if (job->syscall != NULL) job->error = errno;
    free(buffer);
}

static napi_value update_result(napi_env env, struct seam_job *job) {
    return seam_number(env, (double)((struct digest_job *)job)->done);
}

static void update_dispose(struct seam_job *job) {
    struct digest_job *self = (struct digest_job *)job;
    self->digest->busy = false;
    let_go(self->digest);
    close(self->fd);
    free(self);
}

static napi_value digest_update(napi_env env, napi_callback_info info) {
    struct seam_call call;
    struct digest_job given = {.job = {.execute = update_execute, .result = update_result, .dispose = update_dispose}};
    int fd;
    if (!seam_begin(env, info, &call) || !seam_fd(&call, 1, &fd) ||
        !seam_integer(&call, 2, "offset", SEAM_MAX_INTEGER, &given.offset) ||
        !seam_integer(&call, 3, "length", SEAM_MAX_INTEGER, &given.length)) {
        return NULL;
    }
    given.digest = digest_argument(&call);
    if (given.digest == NULL) return NULL;
    given.fd = seam_duplicate(fd);
    if (given.fd == -1) return seam_throw(env, errno, "fcntl");
    struct digest_job *self = malloc(sizeof *self);
    if (self == NULL) {
        close(given.fd);
        return seam_throw(env, ENOMEM, "malloc");
    }
    *self = given;
    self->digest->busy = true;
    self->digest->holders++;
    return seam_job_start(&call, &self->job, NULL);
}

static void end_context(struct digest *digest) {
    EVP_MD_CTX_free(digest->context);
    digest->context = NULL;
}

static napi_value digest_finish(napi_env env, napi_callback_info info) {
    static const char digits[] = "0123456789abcdef";
    struct seam_call call;
    unsigned char raw[SHA256_BYTES];
    char text[2 * SHA256_BYTES];
    unsigned length = 0;
    if (!seam_begin(env, info, &call)) return NULL;
    struct digest *digest = digest_argument(&call);
    if (digest == NULL) return NULL;
    int done = EVP_DigestFinal_ex(digest->context, raw, &length);
    end_context(digest);
    if (done != 1 || length != SHA256_BYTES) return seam_throw(env, EIO, "EVP_DigestFinal_ex");
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        text[2 * i] = digits[raw[i] >> 4];
        text[2 * i + 1] = digits[raw[i] & 15];
    }
    napi_value result = NULL;
    napi_create_string_latin1(env, text, sizeof text, &result);
    return result;
}

/* While an update is under way its job still needs the state; then the collector frees it. */
static napi_value digest_free(napi_env env, napi_callback_info info) {
    struct seam_call call;
    if (!seam_begin(env, info, &call)) return NULL;
    struct digest *digest = seam_object(&call, 0, SEAM_DIGEST);
    if (digest != NULL && digest->context != NULL && !digest->busy) end_context(digest);
    return NULL;
}

const struct seam_entry digest_entries[] = {
    {"digestCreate", digest_create}, {"digestUpdate", digest_update}, {"digestFinish", digest_finish},
    {"digestFree", digest_free},     {NULL, NULL},
};
