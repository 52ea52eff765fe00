// Command tektonvalidator checks Tekton's objects with Tekton's own code.
//
// Each object of the files is parsed strictly, completed and validated as the admission webhook does it. Then each
// PipelineRun is checked against its Pipeline and Tasks as the controller does it before the first pod. It prints one
// JSON document: the completed objects, and what is wrong.
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	v1 "github.com/tektoncd/pipeline/pkg/apis/pipeline/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	"knative.dev/pkg/apis"
	syaml "sigs.k8s.io/yaml"
)

// A document is what can be completed and validated.
type document interface {
	apis.Defaultable
	apis.Validatable
}

// A fault is one thing that is wrong.
type fault struct {
	Object  string `json:"object"`
	Message string `json:"message"`
}

// A report is the program's output.
type report struct {
	Items  []json.RawMessage `json:"items"`
	Faults []fault           `json:"faults"`
}

// A catalogue has the objects of all files, by kind.
type catalogue struct {
	tasks     map[string]*v1.Task
	pipelines map[string]*v1.Pipeline
	runs      []*v1.PipelineRun
	report    report
}

func (c *catalogue) fault(object string, err error) {
	if err != nil {
		c.report.Faults = append(c.report.Faults, fault{object, err.Error()})
	}
}

func main() {
	ctx := apis.WithinCreate(context.Background())
	c := &catalogue{tasks: map[string]*v1.Task{}, pipelines: map[string]*v1.Pipeline{}}
	c.report.Items, c.report.Faults = []json.RawMessage{}, []fault{}
	for _, name := range os.Args[1:] {
		c.fault(name, c.readFile(ctx, name))
	}
	for _, run := range c.runs {
		name := "PipelineRun " + run.Name
		for _, err := range c.preflight(ctx, run) {
			c.fault(name, err)
		}
	}
	output := json.NewEncoder(os.Stdout)
	if err := output.Encode(c.report); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	if len(c.report.Faults) > 0 {
		os.Exit(1)
	}
}

// readFile admits every object of a file.
func (c *catalogue) readFile(ctx context.Context, name string) error {
	data, err := os.ReadFile(name)
	if err != nil {
		return err
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(data)))
	for {
		text, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if err := c.admit(ctx, text); err != nil {
			return err
		}
	}
}

// admit does what the webhook does with one object.
func (c *catalogue) admit(ctx context.Context, text []byte) error {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
		Metadata   struct {
			Name         string `json:"name"`
			GenerateName string `json:"generateName"`
		} `json:"metadata"`
	}
	if err := syaml.Unmarshal(text, &head); err != nil {
		return err
	}
	var found document
	switch name := head.Metadata.Name; head.APIVersion + " " + head.Kind {
	case "tekton.dev/v1 Task":
		task := &v1.Task{}
		c.tasks[name], found = task, task
	case "tekton.dev/v1 Pipeline":
		pipeline := &v1.Pipeline{}
		c.pipelines[name], found = pipeline, pipeline
	case "tekton.dev/v1 PipelineRun":
		run := &v1.PipelineRun{}
		c.runs, found = append(c.runs, run), run
	default:
		return fmt.Errorf("%q %q is no object of Tekton", head.APIVersion, head.Kind)
	}
	object := head.Kind + " " + head.Metadata.Name + head.Metadata.GenerateName
	if err := syaml.UnmarshalStrict(text, found); err != nil {
		c.fault(object, err)
		return nil
	}
	found.SetDefaults(ctx)
	// Validation merges a Task's template into its steps, which the webhook does with a copy.
	completed, err := json.Marshal(found)
	if err != nil {
		return err
	}
	c.report.Items = append(c.report.Items, completed)
	// The API server makes the name after the defaults and before the validation.
	if run, isRun := found.(*v1.PipelineRun); isRun && run.Name == "" {
		run.Name = run.GenerateName + "abcde"
	}
	if err := found.Validate(ctx); err != nil {
		c.fault(object, err)
	}
	return nil
}
