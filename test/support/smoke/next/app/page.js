export default function Page() {
  return <p>works</p>
}
