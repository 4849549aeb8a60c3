/* SKIMD_SANITIZED: this build has a sanitizer in it, whose own work needs a little more of the machine. */
#ifndef SKIMD_BASE_SANITIZED_H
#define SKIMD_BASE_SANITIZED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKIMD_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SKIMD_SANITIZED 1
#endif
#endif

#endif
