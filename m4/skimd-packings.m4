# SKIMD_PACKING(name, VARIABLE, pkg-config module, ending, header, library, function)
# --with-NAME: read files with that ending; on where the library is found, by pkg-config or else by itself. Sets HAVE_VARIABLE
# for C and for make, and VARIABLE_CFLAGS and _LIBS.
AC_DEFUN([SKIMD_PACKING], [
AC_ARG_WITH([$1],
  [AS_HELP_STRING([--without-$1], [do not read $4 files (by default, if the library is found)])],
  [], [with_$1=check])
AS_IF([test "$with_$1" != no], [
  PKG_CHECK_MODULES([$2], [$3], [skimd_found=yes],
    [AC_CHECK_HEADER([$5], [AC_CHECK_LIB([$6], [$7], [skimd_found=yes; $2_LIBS=-l$6], [skimd_found=no])],
      [skimd_found=no])])
  AS_IF([test "$with_$1" != check && test $skimd_found = no],
    [AC_MSG_ERROR([--with-$1: the library is not there])])
  with_$1=$skimd_found
])
AS_IF([test "$with_$1" = yes], [AC_DEFINE([HAVE_$2], [1], [Whether $4 files are read])])
AM_CONDITIONAL([HAVE_$2], [test "$with_$1" = yes])
AC_SUBST([$2_CFLAGS])
AC_SUBST([$2_LIBS])
])
