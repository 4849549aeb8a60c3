# SKIMD_SANITIZER
# --with-sanitizer=LIST sets SANITIZER_CFLAGS, for compiling and linking.
AC_DEFUN([SKIMD_SANITIZER], [
AC_ARG_WITH([sanitizer],
  [AS_HELP_STRING([--with-sanitizer=LIST], [compile and link with -fsanitize=LIST: address,undefined or thread])],
  [], [with_sanitizer=no])
AS_IF([test "$with_sanitizer" = yes], [with_sanitizer=address,undefined])
AS_IF([test "$with_sanitizer" != no], [
  # The first finding ends the program, so that no test passes over it.
  SANITIZER_CFLAGS="-fsanitize=$with_sanitizer -fno-sanitize-recover=all -fno-omit-frame-pointer"
  AX_CHECK_LINK_FLAG([$SANITIZER_CFLAGS], [],
    [AC_MSG_ERROR([$CC cannot build with $SANITIZER_CFLAGS])])
])
AC_SUBST([SANITIZER_CFLAGS])
])
