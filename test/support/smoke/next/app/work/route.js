import { manage, resume, save, train } from '../../../../programs/work.mjs'

const works = { manage, resume, save, train }

export const dynamic = 'force-dynamic'

/** Does one of the works in the folder that the address names. */
export async function GET(request) {
  const { searchParams } = new URL(request.url)
  await works[searchParams.get('work')](searchParams.get('folder'))
  return new Response('done')
}
