/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames between daemon and shim, and the records a shim leaves on disk.
 */
#include "config.h"

#include <errno.h>
#include <string.h>

#include "runtime/shim_proto.h"
#include "tests/unit/tap.h"

static unsigned char packet[SHIM_FRAME_MAX];

static int
through(const struct shim_message *in, struct shim_message *out)
{
	struct skiff_error err = ERROR_INIT;
	size_t n = shim_encode(in, packet, sizeof(packet));

	return n == 0 ? -1 : shim_decode(packet, n, out, &err);
}

static void
a_message_comes_out_as_it_went_in(void)
{
	struct shim_message m = { .type = SHIM_EXITED, .tag = 0x12345678 };
	struct shim_message out = { 0 };

	m.u.exit = (struct shim_exit){ .pid = 99,
				       .status = 137,
				       .exited_ns = INT64_C(1) << 62,
				       .lost_bytes = UINT64_MAX,
				       .was_oom = true };
	CHECK(through(&m, &out) == 0);
	CHECK(out.version == SHIM_PROTO_VERSION && out.tag == m.tag);
	CHECK(out.u.exit.pid == 99 && out.u.exit.status == 137);
	CHECK(out.u.exit.exited_ns == INT64_C(1) << 62);
	CHECK(out.u.exit.lost_bytes == UINT64_MAX);
	CHECK(out.u.exit.was_oom && !out.u.exit.was_started);

	m = (struct shim_message){ .type = SHIM_STDIN };
	m.u.stdin_data.data = "a\0b";
	m.u.stdin_data.len = 3;
	CHECK(through(&m, &out) == 0);
	CHECK(out.u.stdin_data.len == 3 &&
	      memcmp(out.u.stdin_data.data, "a\0b", 3) == 0);
}

static void
so_do_the_messages_of_checkpoints(void)
{
	struct shim_message m = { .type = SHIM_CHECKPOINT, .tag = 9 };
	struct shim_message out = { 0 };

	m.u.checkpoint.flags =
	    SHIM_DUMP_FILE_LOCKS | (uint32_t)SHIM_CGROUPS_SOFT
				       << SHIM_DUMP_CGROUPS_SHIFT;
	m.u.checkpoint.criu_dir = "/usr/sbin";
	m.u.checkpoint.criu_dir_len = 9;
	m.u.checkpoint.image_path = "";
	CHECK(through(&m, &out) == 0 && out.u.checkpoint.flags == 0x108);
	CHECK(out.u.checkpoint.criu_dir_len == 9 &&
	      memcmp(out.u.checkpoint.criu_dir, "/usr/sbin", 9) == 0);
	CHECK(out.u.checkpoint.image_path_len == 0);

	m = (struct shim_message){ .type = SHIM_CHECKPOINT_END };
	m.u.checkpoint_end.kill = true;
	CHECK(through(&m, &out) == 0 && out.u.checkpoint_end.kill);
}

static void
so_do_the_messages_of_streams(void)
{
	struct shim_message m = { .type = SHIM_INPUT, .tag = 8 };
	struct shim_message out = { 0 };

	m.u.io.id = "";
	CHECK(through(&m, &out) == 0 && out.u.io.id_len == 0);
	m.type = SHIM_INPUT_CLOSE;
	m.u.io.id = "e1";
	m.u.io.id_len = 2;
	CHECK(through(&m, &out) == 0 && out.u.io.id_len == 2 &&
	      memcmp(out.u.io.id, "e1", 2) == 0);
	m.type = SHIM_WINDOW;
	m.u.io.rows = 24;
	m.u.io.columns = 80;
	CHECK(through(&m, &out) == 0 && out.u.io.rows == 24 &&
	      out.u.io.columns == 80 && out.u.io.id_len == 2);
}

static void
so_do_the_messages_of_execs(void)
{
	struct shim_message m = { .type = SHIM_EXEC_START, .tag = 7 };
	struct shim_message out = { 0 };

	m.u.exec_start.id = "e1";
	m.u.exec_start.id_len = 2;
	m.u.exec_start.terminal = true;
	m.u.exec_start.columns = 80;
	CHECK(through(&m, &out) == 0 && out.u.exec_start.id_len == 2);
	CHECK(memcmp(out.u.exec_start.id, "e1", 2) == 0);
	CHECK(out.u.exec_start.terminal && !out.u.exec_start.has_stdin);
	CHECK(out.u.exec_start.columns == 80 && !out.u.exec_start.no_log);

	m.type = SHIM_EXEC_START_STDIO;
	m.u.exec_start.paths[1] = "/out";
	m.u.exec_start.path_lens[1] = 4;
	m.u.exec_start.log_size = 1 << 20;
	m.u.exec_start.log_files = 3;
	CHECK(through(&m, &out) == 0 && out.u.exec_start.path_lens[0] == 0);
	CHECK(out.u.exec_start.path_lens[1] == 4 &&
	      memcmp(out.u.exec_start.paths[1], "/out", 4) == 0);
	CHECK(out.u.exec_start.log_size == 1 << 20 &&
	      out.u.exec_start.log_files == 3);

	m = (struct shim_message){ .type = SHIM_EXEC_KILL };
	m.u.exec.id = "e1";
	m.u.exec.id_len = 2;
	m.u.exec.signal = 15;
	CHECK(through(&m, &out) == 0 && out.u.exec.signal == 15);
	m.type = SHIM_EXEC_DELETE;
	m.u.exec.force = true;
	CHECK(through(&m, &out) == 0 && out.u.exec.force);

	m = (struct shim_message){ .type = SHIM_EXEC_STATE | SHIM_REPLY };
	m.u.exec_state.phase = SHIM_STOPPED;
	m.u.exec_state.pid = 12;
	m.u.exec_state.exit.status = 3;
	CHECK(through(&m, &out) == 0 && out.u.exec_state.pid == 12);
	CHECK(out.u.exec_state.exit.status == 3);

	m = (struct shim_message){ .type = SHIM_EXEC_EXITED };
	m.u.exec_exited.id = "e1";
	m.u.exec_exited.id_len = 2;
	m.u.exec_exited.exit.status = 9;
	CHECK(through(&m, &out) == 0 && out.u.exec_exited.id_len == 2);
	CHECK(out.u.exec_exited.exit.status == 9);
}

static void
every_shorter_frame_is_refused_and_a_longer_one_taken(void)
{
	struct shim_message m = { .type = SHIM_RESIZE };
	struct skiff_error err = ERROR_INIT;
	struct shim_message out;
	size_t n;

	m.u.resize.columns = 80;
	n = shim_encode(&m, packet, sizeof(packet));
	for (size_t i = 0; i < n; i++)
		CHECK(shim_decode(packet, i, &out, &err) < 0);
	packet[8] = (unsigned char)(packet[8] + 3);
	CHECK(shim_decode(packet, n + 3, &out, &err) == 0);
	CHECK(out.u.resize.columns == 80);
	CHECK(shim_encode(&m, packet, n - 1) == 0);
}

static void
an_unknown_type_is_decoded_so_that_it_can_be_answered(void)
{
	struct shim_message m = { .type = 0x321, .tag = 5 };
	struct shim_message out = { 0 };

	CHECK(through(&m, &out) == 0);
	CHECK(out.type == 0x321 && out.tag == 5);
}

static void
an_error_keeps_class_reason_state_and_text(void)
{
	struct skiff_error err = ERROR_INIT;
	struct skiff_error back = ERROR_INIT;
	struct shim_message m;
	struct shim_message out = { 0 };

	(void)err_errno(&err, ENOENT, "runtime create: no x");
	(void)err_reason(&err, "runtime_create_failed");
	(void)err_state(&err, "created");
	shim_error_to_message(&err, 3, &m);
	CHECK(through(&m, &out) == 0);
	CHECK(shim_error_from_message(&out, &back) == -1);
	CHECK(back.code == SKIFF_NOT_FOUND && back.sys_errno == ENOENT);
	CHECK_STR(back.reason, "runtime_create_failed");
	CHECK_STR(back.state, "created");
	CHECK_STR(back.text, err.text);
}

static void
the_exit_record_is_whole_or_an_error(void)
{
	struct shim_exit e = { .pid = 7,
			       .status = 255,
			       .exited_ns = 12,
			       .lost_bytes = 3,
			       .was_started = true };
	struct shim_exit back = { 0 };
	struct skiff_error err = ERROR_INIT;
	char text[SHIM_TEXT_MAX];
	size_t len = shim_exit_format(&e, text);

	CHECK(shim_exit_parse(text, &back, &err) == 0);
	CHECK(back.status == 255 && back.pid == 7 && back.exited_ns == 12);
	CHECK(back.was_started && !back.was_oom && back.lost_bytes == 3);
	for (size_t i = 0; i < len; i++) {
		text[len - 1 - i] = '\0';
		CHECK(shim_exit_parse(text, &back, &err) < 0);
	}
	CHECK(err.code == SKIFF_DATA_LOSS);
}

static void
an_unknown_line_in_the_state_file_is_ignored(void)
{
	struct skiff_error err = ERROR_INIT;
	struct shim_identity who = { 0 };

	CHECK(shim_identity_parse("skiff-shim 1\nversion 3\nfuture x\n"
				  "shim_pid 10\nshim_start 11\ninit_pid 12\n"
				  "init_start 13\nend 1\n",
				  &who, &err) == 0);
	CHECK(who.version == 3 && who.shim_pid == 10 && who.init_start == 13);
	CHECK(shim_identity_parse("skiff-shim 1\nversion 3\nshim_pid -1\n",
				  &who, &err) < 0);
}

TESTS(TEST(a_message_comes_out_as_it_went_in),
      TEST(so_do_the_messages_of_checkpoints),
      TEST(so_do_the_messages_of_streams), TEST(so_do_the_messages_of_execs),
      TEST(every_shorter_frame_is_refused_and_a_longer_one_taken),
      TEST(an_unknown_type_is_decoded_so_that_it_can_be_answered),
      TEST(an_error_keeps_class_reason_state_and_text),
      TEST(the_exit_record_is_whole_or_an_error),
      TEST(an_unknown_line_in_the_state_file_is_ignored))
