# SPDX-License-Identifier: Apache-2.0
# The client runs where it lies; installed, bin/skiff is a link to it.
clientdir = $(pkgdatadir)/client
clientlibdir = $(clientdir)/lib
clientcmddir = $(clientdir)/cmd
dist_client_SCRIPTS = %D%/skiff
dist_clientlib_DATA = \
	%D%/lib/container.sh \
	%D%/lib/errors.sh \
	%D%/lib/format.sh \
	%D%/lib/http.sh \
	%D%/lib/operation.sh \
	%D%/lib/progress.jq
dist_clientcmd_DATA = \
	%D%/cmd/events.sh \
	%D%/cmd/images.sh \
	%D%/cmd/kill.sh \
	%D%/cmd/logs.sh \
	%D%/cmd/namespaces.sh \
	%D%/cmd/ps.sh \
	%D%/cmd/pull.sh \
	%D%/cmd/rm.sh \
	%D%/cmd/run.sh \
	%D%/cmd/version.sh

install-exec-hook:
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	ln -srf '$(DESTDIR)$(clientdir)/skiff' '$(DESTDIR)$(bindir)/skiff'
uninstall-hook:
	rm -f '$(DESTDIR)$(bindir)/skiff'
