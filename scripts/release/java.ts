/** The artifacts of Maven Central. */

import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expectAll, expectEqual, expectNone, type PackageCheck } from './package-check.js'
import { exampleOf, giveCheckpoint, readmeOf } from './readme.js'

const MAVEN = ['--quiet', '--batch-mode']

export const java: PackageCheck = {
  name: 'Maven Central',
  needs: ['mvn', 'java', 'jar'],
  steps: [
    {
      title: 'the pom has all that Maven Central asks for',
      run: async ({ root }) => {
        const pom = await readFile(join(root, 'bindings/java/pom.xml'), 'utf8')
        const own = pom.slice(0, pom.indexOf('<dependencies>'))
        const elements = [...own.matchAll(/^ {2}<(\w+)>/gm)].map(([, element]) => element!)
        const asked = ['groupId', 'artifactId', 'version', 'name', 'description', 'url', 'licenses']
        expectAll(elements, [...asked, 'developers', 'scm'], 'pom.xml')
      },
    },
    {
      title: 'the library, its source and its documentation build, and go to a local repository',
      run: async ({ run, root }) => {
        const pom = ['--file', join(root, 'bindings/java/pom.xml')]
        // Signed at the release alone.
        const options = ['-Prelease', '-Dgpg.skip', '-DskipTests']
        await run('mvn', [...MAVEN, ...pom, ...options, 'install'])
      },
    },
    {
      title: 'the jars have the licence, the sources and the pages, and no test',
      run: async ({ run, root, version }) => {
        const list = async (kind: string) => {
          const path = `bindings/java/target/lightwatch-checkpoint-${version}${kind}.jar`
          return (await run('jar', ['tf', join(root, path)])).split('\n')
        }
        const classes = await list('')
        expectAll(
          classes,
          ['META-INF/LICENSE', 'lightwatch/checkpoint/Checkpoint.class'],
          'the jar',
        )
        expectNone(classes, /Test\.class$|Reporter/, 'the jar')
        expectAll(await list('-sources'), ['lightwatch/checkpoint/Checkpoint.java'], 'the sources')
        expectAll(
          await list('-javadoc'),
          ['lightwatch.checkpoint/lightwatch/checkpoint/Checkpoint.html'],
          'the pages',
        )
      },
    },
    {
      title: 'a program with the example of the README depends on it by the README, and runs',
      run: async ({ run, folder, root }) => {
        const readme = await readmeOf(root, 'java')
        await mkdir(join(folder, 'user'))
        const cwd = join(folder, 'user')
        await writeFile(join(cwd, 'pom.xml'), userPom(exampleOf(readme, 'xml')))
        await writeFile(join(cwd, 'Example.java'), exampleOf(readme, 'java'))
        await giveCheckpoint(root, cwd)
        const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.8.1:build-classpath'
        await run('mvn', [...MAVEN, '--offline', goal, '-Dmdep.outputFile=classpath'], { cwd })
        const path = (await readFile(join(cwd, 'classpath'), 'utf8')).trim()
        const printed = await run('java', ['-cp', path, 'Example.java', 'run.ckpt'], { cwd })
        expectEqual(printed, 'epoch 3, step 1000000007: -6.6862176E18\n', 'it prints')
      },
    },
  ],
}

function userPom(dependency: string): string {
  return `<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>user</groupId>
  <artifactId>user</artifactId>
  <version>1.0.0</version>
  <dependencies>
${dependency}  </dependencies>
</project>
`
}
