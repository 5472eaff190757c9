package logs

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"sigs.k8s.io/yaml"

	"agentstandin/internal/tags"
)

// Config is what people say about a container's logs, in an annotation or in a file.
type Config struct {
	Source  string   `json:"source"`
	Service string   `json:"service"`
	Tags    tagWords `json:"tags"`
	Rules   []Rule   `json:"log_processing_rules"`
}

// tagWords takes a list, or a text with commas as the agent does.
type tagWords []string

func (t *tagWords) UnmarshalJSON(data []byte) error {
	var list []string
	if json.Unmarshal(data, &list) == nil {
		*t = list
		return nil
	}
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return fmt.Errorf("tags must be a list or a text: %w", err)
	}
	for _, tag := range strings.Split(text, ",") {
		if tag = strings.TrimSpace(tag); tag != "" {
			*t = append(*t, tag)
		}
	}
	return nil
}

// fromAnnotation reads the annotation ad.datadoghq.com/<container>.logs: a JSON array, whose first element counts.
func fromAnnotation(text string) (*Config, error) {
	var all []Config
	if err := json.Unmarshal([]byte(text), &all); err != nil {
		return nil, fmt.Errorf("not a JSON array of log configurations: %w", err)
	}
	if len(all) == 0 {
		return nil, nil
	}
	return &all[0], compile(all[0].Rules)
}

// fileConfig is a file of conf.d that speaks of container images.
type fileConfig struct {
	Identifiers []string `json:"ad_identifiers"`
	Logs        []Config `json:"logs"`
}

// configFolder is all of conf.d.
type configFolder []fileConfig

// readConfigFolder reads <folder>/*.yaml and <folder>/*.d/*.yaml. Files that cannot be read are left out and told.
func readConfigFolder(folder string) (configFolder, []error) {
	var paths []string
	for _, pattern := range []string{"*.yaml", "*.yml", "*.d/*.yaml", "*.d/*.yml"} {
		found, _ := filepath.Glob(filepath.Join(folder, pattern)) // only a bad pattern is an error
		paths = append(paths, found...)
	}
	sort.Strings(paths)
	var all configFolder
	var problems []error
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			problems = append(problems, err)
			continue
		}
		var one fileConfig
		if err := yaml.Unmarshal(text, &one); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", path, err))
			continue
		}
		if len(one.Identifiers) == 0 || len(one.Logs) == 0 {
			continue // a check's configuration
		}
		if err := compile(one.Logs[0].Rules); err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", path, err))
			continue
		}
		all = append(all, one)
	}
	return all, problems
}

// forImage is the configuration whose identifiers hold the image's name, long or short, or nil.
func (c configFolder) forImage(reference string) *Config {
	image := tags.ParseImage(reference)
	for i := range c {
		if slices.Contains(c[i].Identifiers, image.Name) || slices.Contains(c[i].Identifiers, image.Short) {
			return &c[i].Logs[0]
		}
	}
	return nil
}
