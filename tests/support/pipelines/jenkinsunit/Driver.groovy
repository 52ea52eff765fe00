// Runs a scripted Jenkinsfile with jenkins-pipeline-unit, and prints what it does, one line a step:
// the kind, a tab, and the text. Arguments: the Jenkinsfile, the plan as JSON, and parameters NAME=VALUE.
import com.lesfurets.jenkins.unit.BasePipelineTest
import groovy.json.JsonSlurperClassic

class Driver extends BasePipelineTest {
    String plan
    int failures

    void say(String kind, Object text) {
        println("${kind}\t${text}")
    }

    void prepare(List<String> parameters) {
        setUp()
        def allowed = { String name, List<Class> types, Closure body -> helper.registerAllowedMethod(name, types, body) }
        allowed('properties', [List], {})
        allowed('parameters', [List], { 'parameters' })
        allowed('string', [Map], { 'string' })
        allowed('booleanParam', [Map], { 'booleanParam' })
        allowed('file', [Map], { Map m -> [name: m.variable, id: m.credentialsId] })
        allowed('stage', [String, Closure], { String name, Closure body -> say('stage', name); body() })
        allowed('node', [String, Closure], { String label, Closure body -> say('node', label); body() })
        allowed('dir', [String, Closure], { String name, Closure body -> body() })
        allowed('deleteDir', [], { say('deleteDir', '') })
        allowed('pwd', [], { '/work' })
        allowed('git', [Map], { Map m -> say('git', m.url) })
        allowed('lock', [String, Closure], { String name, Closure body -> say('lock', name); body() })
        allowed('retry', [Integer, Closure], { Integer times, Closure body -> attempts(times, body) })
        allowed('withEnv', [List, Closure], { List names, Closure body -> say('env', names.join(' ')); body() })
        allowed('withCredentials', [List, Closure], { List all, Closure body ->
            all.each { say('credential', "${it.name}=${it.id}") }
            body()
        })
        allowed('readJSON', [Map], { Map m -> new JsonSlurperClassic().parseText(plan) })
        allowed('parallel', [Map], { Map branches -> branches.each { name, body -> say('branch', name); body() } })
        allowed('sh', [String], { String script ->
            say('sh', script)
            if (failures > 0 && script.contains('bootimg build ')) {
                failures--
                throw new RuntimeException('the agent is gone')
            }
        })
        binding.setVariable('env', [BUILD_TAG: 'job-1'])
        binding.setVariable('params', parameters.collectEntries { it.split('=', 2) as List })
    }

    void attempts(int times, Closure body) {
        for (int number = 1; ; number++) {
            try {
                body()
                return
            } catch (RuntimeException error) {
                if (number == times) {
                    throw error
                }
                say('again', error.message)
            }
        }
    }

    static void main(String[] words) {
        def driver = new Driver(plan: new File(words[1]).text, failures: (System.getenv('FAILURES') ?: '0') as int)
        driver.prepare(words.drop(2) as List)
        driver.loadScript(words[0]).run()
    }
}
