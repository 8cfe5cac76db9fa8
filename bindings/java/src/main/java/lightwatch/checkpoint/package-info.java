/**
 * Reads checkpoints of training: {@code .ckpt} files with the state of a model, its optimizer and
 * everything else that a run needs to continue.
 *
 * <p>{@link lightwatch.checkpoint.Checkpoint#open(java.nio.file.Path)} verifies a file's metadata in
 * full before anything in it is used, and maps the file. A {@link lightwatch.checkpoint.Tensor}'s
 * buffers are views into the map; its checksum is verified before the first one is handed out.
 */
package lightwatch.checkpoint;
