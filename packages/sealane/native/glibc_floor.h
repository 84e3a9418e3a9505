/*
 * Included before everything else when the addon is compiled for glibc. glibc 2.32 and 2.34 moved the functions of threads to
 * another library and gave them a new version, which older ones lack; the old version is the same function, and every glibc
 * has it. A function that is named here and not called leaves nothing behind.
 */
#ifndef SEALANE_GLIBC_FLOOR_H
#define SEALANE_GLIBC_FLOOR_H

#include <features.h>

#ifdef __GLIBC__
/* The first version of glibc for the architecture. */
#if defined(__x86_64__)
#define SEALANE_FIRST_GLIBC "GLIBC_2.2.5"
#elif defined(__aarch64__)
#define SEALANE_FIRST_GLIBC "GLIBC_2.17"
#endif

#ifdef SEALANE_FIRST_GLIBC
#define SEALANE_OLD(function) __asm__(".symver " #function "," #function "@" SEALANE_FIRST_GLIBC)
SEALANE_OLD(pthread_attr_setstacksize);
SEALANE_OLD(pthread_create);
SEALANE_OLD(pthread_detach);
SEALANE_OLD(pthread_join);
SEALANE_OLD(pthread_once);
SEALANE_OLD(pthread_sigmask);
#endif
#endif

#endif
