# SKIMD_SYSTEMD
# systemdsystemunitdir: where the unit file goes. systemd looks below /usr/local/lib as well, so a folder below
# the prefix is right there too, and an installation under any other prefix stays within it.
AC_DEFUN([SKIMD_SYSTEMD], [
AC_ARG_WITH([systemdsystemunitdir],
  [AS_HELP_STRING([--with-systemdsystemunitdir=DIR],
    [folder of the unit file (systemd's own for --prefix=/usr, else PREFIX/lib/systemd/system)])],
  [], [with_systemdsystemunitdir=auto])
AS_CASE([$with_systemdsystemunitdir],
  [yes|auto], [
    systemdsystemunitdir='${prefix}/lib/systemd/system'
    AS_IF([test "$prefix" = /usr],
      [PKG_CHECK_VAR([SYSTEMD_UNITDIR], [systemd], [systemdsystemunitdir],
        [systemdsystemunitdir=$SYSTEMD_UNITDIR])])
  ],
  [systemdsystemunitdir=$with_systemdsystemunitdir])
AM_CONDITIONAL([INSTALL_UNIT], [test "$systemdsystemunitdir" != no])
AC_SUBST([systemdsystemunitdir])
])
