/*
 * The functions of OpenSSL that the addon calls, declared here: official builds of Node.js export them. They are weak, so
 * that the addon also loads where they are missing.
 */
#ifndef SEALANE_OPENSSL_ABI_H
#define SEALANE_OPENSSL_ABI_H

#include <stddef.h>

typedef struct evp_md_st EVP_MD;
typedef struct evp_md_ctx_st EVP_MD_CTX;
typedef struct engine_st ENGINE;

#define SEALANE_WEAK __attribute__((weak))

SEALANE_WEAK EVP_MD_CTX *EVP_MD_CTX_new(void);
SEALANE_WEAK void EVP_MD_CTX_free(EVP_MD_CTX *context);
SEALANE_WEAK const EVP_MD *EVP_sha256(void);
SEALANE_WEAK int EVP_DigestInit_ex(EVP_MD_CTX *context, const EVP_MD *type, ENGINE *engine);
SEALANE_WEAK int EVP_DigestUpdate(EVP_MD_CTX *context, const void *data, size_t length);
SEALANE_WEAK int EVP_DigestFinal_ex(EVP_MD_CTX *context, unsigned char *digest, unsigned int *length);

#endif
