# SPDX-License-Identifier: Apache-2.0
# The client runs where it lies; installed, bin/skiff is a link to it.
clientdir = $(pkgdatadir)/client
clientlibdir = $(clientdir)/lib
clientcmddir = $(clientdir)/cmd
dist_client_SCRIPTS = %D%/skiff
dist_clientlib_DATA = \
	%D%/lib/complete.sh \
	%D%/lib/container.sh \
	%D%/lib/create.sh \
	%D%/lib/ends.sh \
	%D%/lib/errors.sh \
	%D%/lib/follow.sh \
	%D%/lib/format.sh \
	%D%/lib/http.sh \
	%D%/lib/keys.sh \
	%D%/lib/operation.sh \
	%D%/lib/options.sh \
	%D%/lib/output.sh \
	%D%/lib/progress.jq \
	%D%/lib/refused.sh \
	%D%/lib/session.sh \
	%D%/lib/stop.sh \
	%D%/lib/tty.sh \
	%D%/lib/wishes.jq
dist_clientcmd_DATA = \
	%D%/cmd/attach.sh \
	%D%/cmd/checkpoint.sh \
	%D%/cmd/create.sh \
	%D%/cmd/events.sh \
	%D%/cmd/exec.sh \
	%D%/cmd/images.sh \
	%D%/cmd/inspect.sh \
	%D%/cmd/kill.sh \
	%D%/cmd/label.sh \
	%D%/cmd/logs.sh \
	%D%/cmd/namespaces.sh \
	%D%/cmd/pause.sh \
	%D%/cmd/ps.sh \
	%D%/cmd/pull.sh \
	%D%/cmd/rename.sh \
	%D%/cmd/restart.sh \
	%D%/cmd/restore.sh \
	%D%/cmd/resume.sh \
	%D%/cmd/rm.sh \
	%D%/cmd/run.sh \
	%D%/cmd/start.sh \
	%D%/cmd/stats.sh \
	%D%/cmd/stop.sh \
	%D%/cmd/top.sh \
	%D%/cmd/update.sh \
	%D%/cmd/version.sh \
	%D%/cmd/wait.sh

bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = %D%/completion/skiff.bash
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = %D%/completion/_skiff

install-exec-hook:
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	ln -srf '$(DESTDIR)$(clientdir)/skiff' '$(DESTDIR)$(bindir)/skiff'
uninstall-hook:
	rm -f '$(DESTDIR)$(bindir)/skiff'
