package main

import (
	"context"
	"errors"
	"fmt"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"github.com/tektoncd/pipeline/pkg/reconciler/pipeline/dag"
	"github.com/tektoncd/pipeline/pkg/reconciler/pipelinerun/resources"
	"github.com/tektoncd/pipeline/pkg/reconciler/taskrun"
	"github.com/tektoncd/pipeline/pkg/trustedresources"
	kerrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// preflight makes the controller's checks of a PipelineRun, which come before the first pod.
func (c *catalogue) preflight(ctx context.Context, run *v1.PipelineRun) []error {
	spec := run.Spec.PipelineSpec
	if run.Spec.PipelineRef != nil {
		pipeline := c.pipelines[run.Spec.PipelineRef.Name]
		if pipeline == nil {
			return []error{fmt.Errorf("there is no Pipeline %q", run.Spec.PipelineRef.Name)}
		}
		spec = &pipeline.Spec
	}
	if spec == nil {
		return []error{errors.New("it names no Pipeline")}
	}
	if found := bindings(spec, run); len(found) > 0 {
		return found
	}
	applied := resources.ApplyParameters(ctx, spec.DeepCopy(), run)
	state, found := c.resolve(ctx, applied, run)
	if len(found) > 0 {
		return found
	}
	return present(
		resources.ValidatePipelineTaskResults(state),
		resources.ValidatePipelineResults(applied, state),
		resources.ValidateOptionalWorkspaces(applied.Workspaces, state),
		resources.ValidateParameterTypesInMatrix(state),
	)
}

// bindings checks the graph, and what the run gives to the Pipeline.
func bindings(spec *v1.PipelineSpec, run *v1.PipelineRun) []error {
	tasks := v1.PipelineTaskList(spec.Tasks)
	_, err := dag.Build(tasks, tasks.Deps())
	return present(
		err,
		resources.ValidateRequiredParametersProvided(&spec.Params, &run.Spec.Params),
		resources.ValidateParamTypesMatching(spec, run),
		resources.ValidateObjectParamRequiredKeys(spec.Params, run.Spec.Params),
		resources.ValidateParamArrayIndex(spec, run.Spec.Params),
		resources.ValidateWorkspaceBindings(spec, run),
		resources.ValidateTaskRunSpecs(spec, run),
	)
}

// resolve finds each task's Task, and checks what the Pipeline gives to it.
func (c *catalogue) resolve(
	ctx context.Context, spec *v1.PipelineSpec, run *v1.PipelineRun,
) (state resources.PipelineRunState, found []error) {
	noRun := func(string) (*v1.TaskRun, error) {
		return nil, kerrors.NewNotFound(schema.GroupResource{Resource: "taskruns"}, "")
	}
	find := func(_ context.Context, name string) (*v1.Task, *v1.RefSource, *trustedresources.VerificationResult, error) {
		if task := c.tasks[name]; task != nil {
			return task, nil, nil, nil
		}
		return nil, nil, nil, fmt.Errorf("there is no Task %q", name)
	}
	for _, task := range append(append([]v1.PipelineTask{}, spec.Tasks...), spec.Finally...) {
		resolved, err := resources.ResolvePipelineTask(ctx, *run, nil, find, noRun, nil, task, state)
		if err != nil {
			found = append(found, err)
			continue
		}
		state = append(state, resolved)
		found = append(found, present(taskrun.ValidateResolvedTask(ctx, task.Params, task.Matrix, resolved.ResolvedTask))...)
		found = append(found, surplus(task, resolved.ResolvedTask.TaskSpec)...)
	}
	return state, found
}

// surplus checks what the engine sees later or never: a workspace that a Task needs and nobody binds fails when its
// TaskRun is made, and a parameter or a workspace that a Task does not have is ignored.
func surplus(task v1.PipelineTask, spec *v1.TaskSpec) (found []error) {
	bound, declared := map[string]bool{}, map[string]bool{}
	for _, each := range task.Workspaces {
		bound[each.Name] = true
	}
	for _, each := range spec.Workspaces {
		declared[each.Name] = true
		if !each.Optional && !bound[each.Name] {
			found = append(found, fmt.Errorf("task %q does not bind the workspace %q", task.Name, each.Name))
		}
	}
	for name := range bound {
		if !declared[name] {
			found = append(found, fmt.Errorf("task %q binds the workspace %q, which its Task does not have", task.Name, name))
		}
	}
	params := map[string]bool{}
	for _, each := range spec.Params {
		params[each.Name] = true
	}
	given := append(v1.Params{}, task.Params...)
	if task.Matrix != nil {
		given = append(given, task.Matrix.Params...)
	}
	for _, each := range given {
		if !params[each.Name] {
			found = append(found, fmt.Errorf("task %q gives the parameter %q, which its Task does not have", task.Name, each.Name))
		}
	}
	return found
}

// present leaves out what is nil.
func present(all ...error) (found []error) {
	for _, err := range all {
		if err != nil {
			found = append(found, err)
		}
	}
	return found
}
