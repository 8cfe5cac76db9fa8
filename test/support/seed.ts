/**
 * The seed of all that tests draw at random: 1, so that one commit has the same cases everywhere and what CI finds is
 * found again; another with TEST_SEED=number in the environment. Only processes and disks keep times of their own.
 */
export const SEED = Number(process.env.TEST_SEED ?? 1)
