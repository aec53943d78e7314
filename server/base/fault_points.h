/* SPDX-License-Identifier: Apache-2.0 */
#pragma once

/*
 * Every failpoint there is, by the program that has it: before and after
 * each durable step. A test walks the list (skiffd --list-failpoints), so
 * a new step cannot go untested.
 *
 * A row: C name, name in SKIFF_FAILPOINTS, scenario that reaches it
 * (pull | create | start | exec | pause | exit | restart | rotate | rename |
 * delete | checkpoint | restore, the verb that a test drives).
 */
#define SKIFF_FAULT_POINTS(X)                                                  \
	X(APPLY_END, "apply.end", "pull")                                      \
	X(APPLY_ENTRY, "apply.entry", "pull")                                  \
	X(BLOB_COMMIT, "blob.commit", "pull")                                  \
	X(BLOB_DIRSYNC, "blob.dirsync", "pull")                                \
	X(BLOB_FSYNC, "blob.fsync", "pull")                                    \
	X(BLOB_RECORDED, "blob.recorded", "pull")                              \
	X(BLOB_RENAME, "blob.rename", "pull")                                  \
	X(BLOB_TRASH, "blob.trash", "delete")                                  \
	X(BLOB_UNLINK, "blob.unlink", "delete")                                \
	X(BLOB_WRITE, "blob.write", "pull")                                    \
	X(BUNDLE_CONFIG, "bundle.config", "start")                             \
	X(CHECKPOINT_DUMP_AFTER, "checkpoint.dump.after", "checkpoint")        \
	X(CHECKPOINT_DUMP_BEFORE, "checkpoint.dump.before", "checkpoint")      \
	X(CHECKPOINT_END, "checkpoint.end", "checkpoint")                      \
	X(CHECKPOINT_IMAGE, "checkpoint.image", "checkpoint")                  \
	X(CHECKPOINT_LAYER, "checkpoint.layer", "checkpoint")                  \
	X(CHECKPOINT_RECORDED, "checkpoint.recorded", "checkpoint")            \
	X(CHECKPOINT_STATE, "checkpoint.state", "checkpoint")                  \
	X(CONTAINER_COMMIT, "container.commit", "create")                      \
	X(CONTAINER_COMMITTED, "container.committed", "create")                \
	X(CONTAINER_DELETE, "container.delete", "delete")                      \
	X(CONTAINER_DELETED, "container.deleted", "delete")                    \
	X(DB_COMMIT_AFTER, "db.commit.after", "create")                        \
	X(DB_COMMIT_BEFORE, "db.commit.before", "create")                      \
	X(EXEC_CREATE_AFTER, "exec.create.after", "exec")                      \
	X(EXEC_CREATE_BEFORE, "exec.create.before", "exec")                    \
	X(EXEC_DELETE_AFTER, "exec.delete.after", "exec")                      \
	X(EXEC_DELETE_BEFORE, "exec.delete.before", "exec")                    \
	X(EXEC_EXIT_AFTER, "exec.exit.after", "exec")                          \
	X(EXEC_EXIT_BEFORE, "exec.exit.before", "exec")                        \
	X(EXEC_ROW_AFTER, "exec.row.after", "exec")                            \
	X(EXEC_ROW_BEFORE, "exec.row.before", "exec")                          \
	X(EXEC_START_AFTER, "exec.start.after", "exec")                        \
	X(EXEC_START_BEFORE, "exec.start.before", "exec")                      \
	X(LAYER_COMMIT, "layer.commit", "pull")                                \
	X(LAYER_COMMITTED, "layer.committed", "pull")                          \
	X(LAYER_SYNCFS, "layer.syncfs", "pull")                                \
	X(OPERATION_CREATE, "operation.create", "pull")                        \
	X(OPERATION_END, "operation.end", "pull")                              \
	X(PULL_IMAGE, "pull.image", "pull")                                    \
	X(PULL_RECORDED, "pull.recorded", "pull")                              \
	X(RESTORE_LAYER, "restore.layer", "restore")                           \
	X(RESTORE_STATES, "restore.states", "restore")                         \
	X(RESTORE_UNPACKED, "restore.unpacked", "restore")                     \
	X(SHIM_CHECKPOINT_END, "shim.checkpoint.end", "checkpoint")            \
	X(SHIM_CREATE_AFTER, "shim.create.after", "create")                    \
	X(SHIM_CREATE_BEFORE, "shim.create.before", "create")                  \
	X(SHIM_DELETE_AFTER, "shim.delete.after", "delete")                    \
	X(SHIM_DELETE_BEFORE, "shim.delete.before", "delete")                  \
	X(SHIM_DELETE_RUNTIME, "shim.delete.runtime", "delete")                \
	X(SHIM_DUMP_AFTER, "shim.dump.after", "checkpoint")                    \
	X(SHIM_DUMP_BEFORE, "shim.dump.before", "checkpoint")                  \
	X(SHIM_EXEC_KILL_AFTER, "shim.exec.kill.after", "exec")                \
	X(SHIM_EXEC_KILL_BEFORE, "shim.exec.kill.before", "exec")              \
	X(SHIM_EXEC_START, "shim.exec.start", "exec")                          \
	X(SHIM_EXEC_STARTED, "shim.exec.started", "exec")                      \
	X(SHIM_EXIT_RECORD_AFTER, "shim.exit_record.after", "exit")            \
	X(SHIM_EXIT_RECORD_BEFORE, "shim.exit_record.before", "exit")          \
	X(SHIM_IDENTITY, "shim.identity", "create")                            \
	X(SHIM_KILL_AFTER, "shim.kill.after", "exit")                          \
	X(SHIM_KILL_BEFORE, "shim.kill.before", "exit")                        \
	X(SHIM_LISTEN, "shim.listen", "create")                                \
	X(SHIM_MOUNT_AFTER, "shim.mount.after", "create")                      \
	X(SHIM_MOUNT_BEFORE, "shim.mount.before", "create")                    \
	X(SHIM_NOTIFY, "shim.notify", "exit")                                  \
	X(SHIM_READY, "shim.ready", "create")                                  \
	X(SHIM_ROTATE_AFTER, "shim.rotate.after", "rotate")                    \
	X(SHIM_ROTATE_BEFORE, "shim.rotate.before", "rotate")                  \
	X(SHIM_ROTATE_DATA, "shim.rotate.data", "rotate")                      \
	X(SHIM_ROTATE_NAMED, "shim.rotate.named", "rotate")                    \
	X(SHIM_START_AFTER, "shim.start.after", "start")                       \
	X(SHIM_START_BEFORE, "shim.start.before", "start")                     \
	X(SNAPSHOT_DELETE, "snapshot.delete", "delete")                        \
	X(SNAPSHOT_MKDIR, "snapshot.mkdir", "create")                          \
	X(SNAPSHOT_REMOVE, "snapshot.remove", "delete")                        \
	X(SNAPSHOT_REPLACE, "snapshot.replace", "restore")                     \
	X(SNAPSHOT_ROW, "snapshot.row", "create")                              \
	X(SNAPSHOT_TRASH, "snapshot.trash", "delete")                          \
	X(TASK_BUNDLE_AFTER, "task.bundle.after", "start")                     \
	X(TASK_BUNDLE_BEFORE, "task.bundle.before", "start")                   \
	X(TASK_DELETE_BEFORE, "task.delete.before", "delete")                  \
	X(TASK_DELETE_ROW_AFTER, "task.delete.row.after", "delete")            \
	X(TASK_DELETE_ROW_BEFORE, "task.delete.row.before", "delete")          \
	X(TASK_EXIT_AFTER, "task.exit.after", "exit")                          \
	X(TASK_EXIT_BEFORE, "task.exit.before", "exit")                        \
	X(TASK_PAUSE_AFTER, "task.pause.after", "pause")                       \
	X(TASK_PAUSE_BEFORE, "task.pause.before", "pause")                     \
	X(TASK_PAUSING, "task.pausing", "pause")                               \
	X(TASK_RENAME_COMMITTED, "task.rename.committed", "rename")            \
	X(TASK_RENAME_NOTED, "task.rename.noted", "rename")                    \
	X(TASK_RESTART_ASK_AFTER, "task.restart.ask.after", "restart")         \
	X(TASK_RESTART_ASK_BEFORE, "task.restart.ask.before", "restart")       \
	X(TASK_RESTART_CLEARED, "task.restart.cleared", "restart")             \
	X(TASK_RESTART_FAILED_AFTER, "task.restart.failed.after", "restart")   \
	X(TASK_RESTART_FAILED_BEFORE, "task.restart.failed.before", "restart") \
	X(TASK_RESTART_ROW_AFTER, "task.restart.row.after", "restart")         \
	X(TASK_RESTART_ROW_BEFORE, "task.restart.row.before", "restart")       \
	X(TASK_RESUME_AFTER, "task.resume.after", "pause")                     \
	X(TASK_RESUME_BEFORE, "task.resume.before", "pause")                   \
	X(TASK_ROW_AFTER, "task.row.after", "start")                           \
	X(TASK_ROW_BEFORE, "task.row.before", "start")                         \
	X(TASK_SHIM_DELETE_AFTER, "task.shim_delete.after", "delete")          \
	X(TASK_SHIM_DELETE_BEFORE, "task.shim_delete.before", "delete")        \
	X(TASK_SHIM_READY, "task.shim_ready", "create")                        \
	X(TASK_SHIM_SPAWN_AFTER, "task.shim_spawn.after", "create")            \
	X(TASK_SHIM_SPAWN_BEFORE, "task.shim_spawn.before", "create")          \
	X(TASK_START_AFTER, "task.start.after", "start")                       \
	X(TASK_START_BEFORE, "task.start.before", "start")                     \
	X(TASK_STOP_AFTER, "task.stop.after", "exit")                          \
	X(TASK_STOP_BEFORE, "task.stop.before", "exit")                        \
	X(TASK_UPDATE_AFTER, "task.update.after", "pause")                     \
	X(TASK_UPDATE_BEFORE, "task.update.before", "pause")
