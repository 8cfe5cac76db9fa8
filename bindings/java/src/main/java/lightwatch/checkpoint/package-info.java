/**
 * Reads checkpoints of training: {@code .ckpt} files with the state of a model, its optimizer and
 * whatever else a run needs to go on.
 *
 * <p>{@link lightwatch.checkpoint.Checkpoint#open(java.nio.file.Path)} checks a file's metadata in
 * full before anything of it is believed, and maps the file. A {@link
 * lightwatch.checkpoint.Tensor}'s buffers are views into the map; its checksum is checked before
 * the first one is handed out.
 */
package lightwatch.checkpoint;
