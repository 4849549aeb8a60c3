# SKIMD_FUZZING
# --enable-fuzzing builds everything for libFuzzer, which clang has: each edge counted, memory and arithmetic checked.
# Sets ENABLE_FUZZING and FUZZ_LDFLAGS, and adds to SANITIZER_CFLAGS. After SKIMD_SANITIZER.
AC_DEFUN([SKIMD_FUZZING], [
AC_ARG_ENABLE([fuzzing],
  [AS_HELP_STRING([--enable-fuzzing], [build the targets in fuzz/ with libFuzzer and sanitizers (needs CC=clang)])],
  [], [enable_fuzzing=no])
AS_IF([test "$enable_fuzzing" != no], [
  AS_IF([test "$with_sanitizer" != no],
    [AC_MSG_ERROR([--enable-fuzzing brings its own sanitizers: leave --with-sanitizer out])])
  with_sanitizer=fuzzer-no-link,address,undefined
  SANITIZER_CFLAGS="-fsanitize=$with_sanitizer -fno-sanitize-recover=all -fno-omit-frame-pointer"
  FUZZ_LDFLAGS="-fsanitize=fuzzer"
  AX_CHECK_LINK_FLAG([$SANITIZER_CFLAGS], [],
    [AC_MSG_ERROR([$CC has no libFuzzer: configure with CC=clang])])
])
AM_CONDITIONAL([ENABLE_FUZZING], [test "$enable_fuzzing" != no])
AC_SUBST([FUZZ_LDFLAGS])
])
