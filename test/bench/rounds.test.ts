import test from 'ava'
import { runRounds } from '../../bench/rounds.js'

test('turns alternate, and the first round does not count', async (t) => {
  const order: string[] = []
  const turn = (row: string) => ({
    row,
    run: async (round: number) => {
      order.push(row)
      return round
    },
  })
  const { values, failed } = await runRounds([turn('a'), turn('b')], 2)
  t.deepEqual(order, ['a', 'b', 'a', 'b', 'a', 'b'])
  t.deepEqual(
    [...values],
    [
      ['a', [0, 1]],
      ['b', [0, 1]],
    ],
  )
  t.is(failed.size, 0)
})

test('a contender that fails is left out with its reason, and the others continue', async (t) => {
  let tries = 0
  const { values, failed } = await runRounds(
    [
      {
        row: 'fails',
        run: async (round) => {
          tries++
          if (round === 0) throw new Error('no disk')
          return 1
        },
      },
      { row: 'goes on', run: async () => 2 },
    ],
    3,
  )
  t.is(tries, 2)
  t.deepEqual([...failed], [['fails', 'no disk']])
  t.deepEqual([...values], [['goes on', [2, 2, 2]]])
})
